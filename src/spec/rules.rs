//! Rules that span several keys. They read the raw document, so that they speak up beside other problems.

use super::gauge_rules;
use super::view::View;
use crate::error::Problem;
use toml::Value;

/// Every cross-key rule that is broken; keys that are absent or of the wrong type are left to [`super::check`].
pub fn check(document: &Value) -> Vec<Problem> {
    let view = View(document);
    let rules = [
        kernel_fits_lattice,
        batch_can_grow,
        batch_has_a_baseline,
        nesterov_has_momentum,
        initial_weights_are_chosen_once,
        something_is_saved,
        chains_have_proposals,
    ];
    let found = rules.iter().filter_map(|rule| rule(&view));
    found.chain(phi4_couplings(&view)).chain(model_or_none(&view)).chain(gauge_rules::check(&view)).collect()
}

fn kernel_fits_lattice(view: &View) -> Option<Problem> {
    let ((flow, keys), (_, theory)) = (view.chosen("flow")?, view.chosen("theory")?);
    let kernel = keys.get("kernel_size")?.as_integer()?;
    let extents = theory.get("extents")?.as_array()?;
    let smallest = extents.iter().filter_map(Value::as_integer).min()?;
    (kernel > smallest).then(|| {
        Problem::new(
            format!("{flow}.kernel_size"),
            format!("must not exceed the smallest extent, {smallest}"),
        )
        .value(kernel)
        .hint("a larger kernel would read the same site twice through the periodic boundary")
    })
}

fn batch_can_grow(view: &View) -> Option<Problem> {
    let size = view.integer("train.batch.size")?;
    let maximum = view.integer("train.batch.double.maximum")?;
    (maximum < size).then(|| {
        Problem::new("train.batch.double.maximum", format!("must be at least train.batch.size = {size}"))
            .value(maximum)
    })
}

fn nesterov_has_momentum(view: &View) -> Option<Problem> {
    let is_on = view.get("train.optimizer.sgd.nesterov")?.as_bool()?;
    let momentum = match view.get("train.optimizer.sgd.momentum") {
        None => 0.0,
        Some(_) => view.number("train.optimizer.sgd.momentum")?,
    };
    (is_on && momentum == 0.0).then(|| {
        Problem::new("train.optimizer.sgd.nesterov", "needs train.optimizer.sgd.momentum > 0").value(is_on)
    })
}

/// A width at its default says nothing, and it is what a resolved specification has that chooses nothing else: overrides and studies
/// may choose beside it.
fn initial_weights_are_chosen_once(view: &View) -> Option<Problem> {
    let (chosen, _) = view.chosen("flow.affine.initial")?;
    let width = view.number("flow.affine.initial_width").filter(|&width| width != 1.0)?;
    let problem = Problem::new("flow.affine.initial_width", format!("cannot stand beside {chosen}"));
    Some(problem.value(width).hint("it is short for flow.affine.initial.kaiming.width: keep one of the two"))
}

/// The baseline of a configuration is the mean over the others.
fn batch_has_a_baseline(view: &View) -> Option<Problem> {
    let keys = ["train.loss.reverse_kl.gradient", "train.loss.mixture.reverse_kl.gradient"];
    let key = keys.into_iter().find(|key| view.get(key).and_then(Value::as_str) == Some("reinforce"))?;
    let size = view.integer("train.batch.size").filter(|&size| size == 1)?;
    let rule = format!("must be at least 2 where {key} = \"reinforce\"");
    let problem = Problem::new("train.batch.size", rule).value(size);
    Some(problem.hint("each configuration is held against the mean over the others"))
}

fn something_is_saved(view: &View) -> Option<Problem> {
    let every = view.integer("sample.hmc.save_every")?;
    let trajectories = view.integer("sample.hmc.trajectories")?;
    (every > trajectories).then(|| {
        let rule = format!("must not exceed sample.hmc.trajectories = {trajectories}, or nothing is saved");
        Problem::new("sample.hmc.save_every", rule).value(every)
    })
}

fn chains_have_proposals(view: &View) -> Option<Problem> {
    view.get("sample.independence.hmc")?;
    let chains = view.integer("sample.independence.hmc.chains").unwrap_or(super::sample::CHAINS as i64);
    let proposals = view.integer("sample.independence.proposals")?;
    (proposals < 2 * chains).then(|| {
        let rule = format!("must be at least {}, two for each of the {chains} chains", 2 * chains);
        Problem::new("sample.independence.proposals", rule)
            .value(proposals)
            .hint("the chains share the proposals; see sample.independence.hmc.chains")
    })
}

/// A flow is trained, and what needs one has one.
fn model_or_none(view: &View) -> Vec<Problem> {
    let missing = |key: &str, why: &str| {
        Problem::new(key, format!("missing: {why}"))
            .hint("without [flow] and [train] there is Hybrid Monte Carlo alone, [sample.hmc]")
    };
    match (view.get("flow").is_some(), view.get("train").is_some()) {
        (true, true) => return Vec::new(),
        (true, false) => return vec![missing("train", "a flow is trained")],
        (false, true) => return vec![missing("flow", "there is nothing to train")],
        (false, false) => {}
    }
    let needs_model = ["evaluate", "sample.direct", "sample.independence"];
    let without = needs_model.into_iter().filter(|key| view.get(key).is_some());
    let mut problems: Vec<Problem> =
        without.map(|key| Problem::new(key, "needs a model: [flow] and [train]")).collect();
    if view.get("sample.hmc").is_none() && view.get("sample.heat_bath").is_none() {
        problems.push(missing("flow", "nothing is asked for that needs no model"));
        problems.push(missing("train", "nothing is asked for that needs no model"));
    }
    problems
}

/// Which keys a φ⁴ convention takes, and that the action is bounded below.
fn phi4_couplings(view: &View) -> Vec<Problem> {
    let Some(table) = view.get("theory.phi4").and_then(Value::as_table) else { return Vec::new() };
    let convention = table.get("convention").and_then(Value::as_str).unwrap_or("paper");
    let wanted = match convention {
        "nicoli" => "kappa",
        "del_debbio" => "beta",
        "paper" | "albergo" | "neumc" => "mass_squared",
        _ => return Vec::new(),
    };
    let mut problems = Vec::new();
    for key in ["mass_squared", "kappa", "beta"] {
        let place = format!("theory.phi4.{key}");
        let rule = match (key == wanted, table.contains_key(key)) {
            (true, false) => format!("missing: the convention `{convention}` needs it"),
            (false, true) => format!("is not part of the convention `{convention}`, which uses `{wanted}`"),
            _ => continue,
        };
        problems.push(Problem::new(place, rule));
    }
    problems.extend(free_field(view, wanted));
    problems
}

/// The free field needs `m² > 0`, that is `κ < 1/2d` and `β < 1/d` in the conventions that have these.
fn free_field(view: &View, mass: &str) -> Option<Problem> {
    if view.number("theory.phi4.coupling") != Some(0.0) {
        return None;
    }
    let key = format!("theory.phi4.{mass}");
    let (value, d) = (view.number(&key)?, view.get("theory.phi4.extents")?.as_array()?.len() as f64);
    let (fine, rule) = match mass {
        "kappa" => (value * 2.0 * d < 1.0, format!("less than {}", 0.5 / d)),
        "beta" => (value * d < 1.0, format!("less than {}", 1.0 / d)),
        _ => (value > 0.0, "greater than 0".into()),
    };
    (!fine && !value.is_nan()).then(|| {
        Problem::new(key, format!("must be {rule} where coupling = 0"))
            .value(value)
            .hint("without the quartic term e^{-S} cannot be normalised unless m^2 > 0")
    })
}
