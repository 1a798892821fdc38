//! The help texts, as the user sees them. `UPDATE_HELP=1 cargo test` writes them again after a
//! change, so that the change is seen in review.

mod common;

use std::fs;
use std::path::Path;

use common::Folder;

const COMMANDS: [&str; 12] = [
    "hide", "reveal", "capacity", "channels", "compare", "eval", "train", "demo", "models",
    "inspect", "import", "export",
];

#[test]
fn help_is_as_reviewed() {
    let folder = Folder::new();
    check("underdrawing", &folder.run("--help").done().stdout);
    for command in COMMANDS {
        check(
            command,
            &folder.run(&format!("{command} --help")).done().stdout,
        );
    }
}

fn check(name: &str, text: &str) {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
    if std::env::var_os("UPDATE_HELP").is_some() {
        fs::write(&path, &text).expect("the folder is there");
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        reviewed,
        "{name}: UPDATE_HELP=1 writes {}",
        path.display()
    );
}

#[test]
fn help_man_page_and_completions_know_every_command() {
    let folder = Folder::new();
    let help = folder.run("--help").done().stdout;
    let man = folder.run("generate man").done().stdout;
    let bash = folder.run("generate completions bash").done().stdout;
    for command in COMMANDS {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command} in {help}"
        );
        assert!(
            man.contains(&format!("UNDERDRAWING {}", command.to_uppercase())),
            "{command}"
        );
        assert!(bash.contains(command), "{command}");
    }
    assert!(!help.contains("generate"), "it is for packagers");
    assert!(
        man.contains("\\-\\-min\\-psnr"),
        "options of commands are in the man page"
    );
}

#[test]
fn every_option_has_a_line_of_help() {
    let folder = Folder::new();
    for command in COMMANDS {
        let help = folder.run(&format!("{command} -h")).done().stdout;
        let lines: Vec<_> = help.lines().map(str::trim_start).collect();
        for (line, next) in lines.iter().zip(&lines[1..]) {
            // Beside it, or below it when options are long.
            let has_help = line.contains("  ") || !(next.is_empty() || next.starts_with('-'));
            assert!(
                !line.starts_with('-') || has_help,
                "{command}: no help in `{line}`"
            );
        }
    }
}

#[test]
fn misuse_exits_with_2_and_points_to_help() {
    let folder = Folder::new();
    for arguments in [
        "",
        "hide",
        "hide a.png b.png",
        "reveal a.png",
        "reveal a.png -o b.png --size 12",
        "compare a.png",
        "eval",
        "eval --covers a/",
        "eval pairs/ --covers a/ --secrets b/",
        "hide a.png b.png -o c.png --tile-size 0",
        "hide a.png b.png -o c.png --quiet --verbose",
        "seek",
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments}: {ran:?}");
        assert!(ran.stderr.contains("--help"), "{arguments}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments}");
    }
}
