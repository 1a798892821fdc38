//! The network method as the door sees it: options and marks to networks and placements.

use crate::error::Error;
use crate::network::built_in::BuiltInModel;
use crate::network::hide::hide as hide_by;
use crate::network::mark::Mark;
use crate::network::model::Model;
use crate::network::model_id::ModelId;
use crate::network::options::NetworkOptions;
use crate::network::reveal::{Found, reveal};
use crate::picture::{Limits, Pixels};
use crate::progress::OnProgress;
use crate::report::{Hidden, HiddenDetails, Revealed};

/// What to reveal with.
pub(crate) struct Request<'a> {
    /// Models beside the built-in ones.
    pub(crate) models: &'a [Model],
    pub(crate) tile_size: usize,
    pub(crate) limits: Limits,
}

/// Hides `secret` in `cover`.
pub(crate) fn hide(
    cover: &Pixels,
    secret: &Pixels,
    options: &NetworkOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Hidden, Error> {
    let model = options.model.id();
    let (container, placement) = hide_by(
        &options.model,
        model,
        cover,
        secret,
        options.run(),
        on_progress,
    )?;
    Ok(Hidden {
        container,
        details: HiddenDetails::Network {
            model,
            turned: placement.turned,
            resized: placement.resizes(),
        },
    })
}

/// Reveals what a mark names.
pub(crate) fn reveal_marked(
    container: &Pixels,
    mark: &Mark,
    request: &Request<'_>,
    on_progress: &mut OnProgress<'_>,
) -> Result<Revealed, Error> {
    let found = Found::by_mark(container, mark, &request.limits)?;
    let model = model_with_id(mark.model, request.models)?;
    run(container, &model, found, request, on_progress)
}

/// Reveals at a size that is given, whatever the container says, by the first model.
pub(crate) fn reveal_at_size(
    container: &Pixels,
    size: (usize, usize),
    request: &Request<'_>,
    on_progress: &mut OnProgress<'_>,
) -> Result<Revealed, Error> {
    let found = Found::at_size(container, size, &request.limits)?;
    let first = request.models.first().cloned();
    let model = first.unwrap_or_else(|| BuiltInModel::first().model());
    run(container, &model, found, request, on_progress)
}

fn run(
    container: &Pixels,
    model: &Model,
    found: Found,
    request: &Request<'_>,
    on_progress: &mut OnProgress<'_>,
) -> Result<Revealed, Error> {
    let picture = reveal(model, container, &found, request.tile_size, on_progress)?;
    let mark = Mark {
        secret_width: picture.width(),
        secret_height: picture.height(),
        turned: found.placement.turned,
        balance: found.balance,
        model: model.id(),
    };
    Ok(Revealed {
        picture,
        found: mark.inspection(),
        blurred_rows: Vec::new(),
        grey_rows: Vec::new(),
    })
}

/// The model with this id: of those given, or built in.
fn model_with_id(id: ModelId, models: &[Model]) -> Result<Model, Error> {
    let given = models.iter().find(|model| model.id() == id).cloned();
    given
        .or_else(|| BuiltInModel::with_id(id).map(BuiltInModel::model))
        .ok_or(Error::UnknownModel { id })
}
