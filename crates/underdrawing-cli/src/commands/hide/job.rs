//! What `hide` will do, planned and checked before any work starts.

use std::path::{Path, PathBuf};

use anyhow::bail;
use underdrawing::FileFormat;

use crate::args::HideArgs;
use crate::commands::{at_most_one_stream, inputs_of};
use crate::files::{Inputs, OutputFile, create_folder, refuse_one_place};
use crate::folder::{Reuse, extension_of, pairs, pictures_at, renamed};
use crate::output::{Ui, shown};
use crate::picture::{self, Role};

/// One pair to hide; every path in it is checked.
pub(super) struct Job {
    pub(super) cover: PathBuf,
    pub(super) secret: PathBuf,
    pub(super) container: OutputFile,
    pub(super) format: FileFormat,
    pub(super) sheet: Option<OutputFile>,
}

impl Job {
    fn outputs(&self) -> impl Iterator<Item = &OutputFile> {
        std::iter::once(&self.container).chain(&self.sheet)
    }
}

/// The paths of one job, not checked.
struct Paths<'a> {
    cover: &'a Path,
    secret: &'a Path,
    container: &'a Path,
    sheet: Option<&'a Path>,
}

impl HideArgs {
    /// All jobs: one for two files, as many as covers for folders.
    pub(super) fn jobs(&self, ui: &Ui) -> anyhow::Result<Vec<Job>> {
        let jobs = if self.cover.is_dir() || self.secret.is_dir() {
            self.folder_jobs(ui)?
        } else {
            vec![self.file_job()?]
        };
        refuse_one_place(jobs.iter().flat_map(Job::outputs))?;
        Ok(jobs)
    }

    fn file_job(&self) -> anyhow::Result<Job> {
        if self.cycle {
            bail!("--cycle goes with folders: expected a folder of covers");
        }
        let inputs = [self.cover.as_path(), &self.secret];
        if self.jpeg {
            bail!("--jpeg goes with folders: for one container give --output a name in .jpg");
        }
        let password_file = self.password.password_file.as_deref();
        at_most_one_stream(&[Some(inputs[0]), Some(inputs[1]), password_file])?;
        for (role, path) in [(Role::Cover, inputs[0]), (Role::Secret, inputs[1])] {
            picture::must_exist(path, role)?;
        }
        let inputs = inputs_of(inputs, &self.password, &self.model);
        let paths = Paths {
            cover: &self.cover,
            secret: &self.secret,
            container: &self.output,
            sheet: self.sheet.as_deref(),
        };
        self.job(&paths, &inputs)
    }

    /// Outputs are named after the covers.
    fn folder_jobs(&self, ui: &Ui) -> anyhow::Result<Vec<Job>> {
        let covers = pictures_at(&self.cover, ui)?;
        let secrets = pictures_at(&self.secret, ui)?;
        let inputs: Vec<&Path> = covers
            .iter()
            .chain(&secrets)
            .map(PathBuf::as_path)
            .collect();
        let password_file = self.password.password_file.as_deref();
        at_most_one_stream(&[Some(&*self.cover), Some(&*self.secret), password_file])?;
        let inputs = inputs_of(inputs, &self.password, &self.model);
        let reuse = if self.cycle {
            Reuse::Cycle
        } else {
            Reuse::NotAsked
        };
        let pairs = pairs(covers.clone(), &secrets, reuse)?;
        if self.sheet.as_ref() == Some(&self.output) {
            bail!("--sheet and --output are one folder: expected two");
        }
        let extension = match (self.jpeg, self.method.survives()) {
            (true, true) => "jpg",
            (false, _) => "png",
            (true, false) => {
                bail!("--jpeg goes with --survive: what is hidden without it does not survive JPEG")
            }
        };
        let containers = renamed(&covers, &self.output, extension)?;
        create_folder(&self.output)?;
        let sheets = match &self.sheet {
            Some(folder) => {
                create_folder(folder)?;
                renamed(&covers, folder, "png")?
            }
            None => Vec::new(),
        };
        let mut jobs = Vec::with_capacity(pairs.len());
        for (i, (cover, secret)) in pairs.iter().enumerate() {
            let paths = Paths {
                cover,
                secret,
                container: &containers[i],
                sheet: sheets.get(i).map(PathBuf::as_path),
            };
            jobs.push(self.job(&paths, &inputs)?);
        }
        Ok(jobs)
    }

    /// The container's format: lossless, or JPEG if it survives that.
    fn format(&self, container: &Path) -> anyhow::Result<FileFormat> {
        let jpeg = FileFormat::of_extension(&extension_of(container)) == Some(FileFormat::Jpeg);
        if jpeg && self.method.survives() {
            return Ok(FileFormat::Jpeg);
        }
        picture::lossless_format(container, "container")
    }

    fn job(&self, paths: &Paths<'_>, inputs: &Inputs) -> anyhow::Result<Job> {
        let force = self.write.force;
        if paths.sheet == Some(paths.container) {
            bail!(
                "the container and the sheet have the same path, {}",
                shown(paths.container)
            );
        }
        let sheet = match paths.sheet {
            Some(path) => {
                picture::lossless_format(path, "sheet")?;
                Some(OutputFile::new(path, force, inputs)?)
            }
            None => None,
        };
        Ok(Job {
            cover: paths.cover.to_owned(),
            secret: paths.secret.to_owned(),
            format: self.format(paths.container)?,
            container: OutputFile::new(paths.container, force, inputs)?,
            sheet,
        })
    }
}
