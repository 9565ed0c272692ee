//! Rules of gauge theories and of flows for them.

use super::gauge::PERIOD;
use super::theory::DEVICE_EXTENTS;
use super::view::View;
use crate::error::Problem;
use toml::Value;

/// Every rule that is broken.
pub fn check(view: &View) -> Vec<Problem> {
    let rules = [
        flow_acts_on_the_field,
        dilations_are_those_of_the_convolutions,
        dilated_kernel_fits_lattice,
        learned_sectors_have_a_baseline,
        determinant_fits_the_device,
    ];
    let found = rules.iter().filter_map(|rule| rule(view));
    found.chain(masks_fit_lattice(view)).chain(keys_of_gauge_theories(view)).collect()
}

/// What a flow acts on is what the theory has.
fn flow_acts_on_the_field(view: &View) -> Option<Problem> {
    let ((theory, _), (flow, _)) = (view.chosen("theory")?, view.chosen("flow")?);
    let (rule, hint) = match (theory.as_str(), flow.as_str()) {
        ("theory.schwinger", "flow.affine") => (
            "acts on scalar fields, and theory.schwinger has link angles",
            "take [flow.gauge], or leave out [flow] and [train] to run Hybrid Monte Carlo alone",
        ),
        ("theory.phi4", "flow.gauge") => {
            ("acts on link angles, and theory.phi4 is a scalar field", "take [flow.affine]")
        }
        _ => return None,
    };
    Some(Problem::new(flow, rule).hint(hint))
}

/// The masks of a flow's layers repeat along both directions.
fn masks_fit_lattice(view: &View) -> Vec<Problem> {
    let extents = view.get("theory.schwinger.extents").and_then(Value::as_array);
    let Some(extents) = extents.filter(|_| view.get("flow.gauge").is_some()) else { return Vec::new() };
    let wrong = extents.iter().enumerate().filter_map(|(direction, extent)| {
        // Odd ones have broken a rule that says enough.
        let extent = extent.as_integer().filter(|extent| extent % 2 == 0 && extent % PERIOD as i64 != 0)?;
        let rule = format!("must be a multiple of {PERIOD} where there is flow.gauge");
        let problem = Problem::new(format!("theory.schwinger.extents[{direction}]"), rule).value(extent);
        Some(problem.hint(format!("the masks of its layers repeat after {PERIOD} sites in both directions")))
    });
    wrong.collect()
}

fn dilations_are_those_of_the_convolutions(view: &View) -> Option<Problem> {
    let dilations = view.get("flow.gauge.dilations")?.as_array()?;
    let convolutions = view.get("flow.gauge.hidden")?.as_array()?.len() + 1;
    (dilations.len() != convolutions).then(|| {
        let rule = format!("must have {convolutions} entries, one for each convolution");
        let problem = Problem::new("flow.gauge.dilations", rule).value(Value::from(dilations.clone()));
        problem.hint("there is one convolution more than hidden layers")
    })
}

/// Else two taps of a kernel would read the same site, as with a kernel that is too large.
fn dilated_kernel_fits_lattice(view: &View) -> Option<Problem> {
    let dilations = view.get("flow.gauge.dilations")?.as_array()?;
    let largest = dilations.iter().filter_map(Value::as_integer).max()?;
    let kernel = view.integer("flow.gauge.kernel_size")?;
    let extents = view.get("theory.schwinger.extents")?.as_array()?;
    let smallest = extents.iter().filter_map(Value::as_integer).min()?;
    let reach = largest.checked_mul(kernel - 1)?;
    (largest > 1 && reach >= smallest).then(|| {
        let rule = format!(
            "must reach less far than the smallest extent, {smallest}, and {largest} reaches {reach}"
        );
        let problem = Problem::new("flow.gauge.dilations", rule).value(Value::from(dilations.clone()));
        problem.hint("the outermost taps of a kernel are dilation * (kernel_size - 1) sites apart")
    })
}

/// What is learned of the probabilities of charges is held against a mean, as all of `reinforce` is.
fn learned_sectors_have_a_baseline(view: &View) -> Option<Problem> {
    let key = "flow.gauge.sectors.weights.learned";
    view.get(key).filter(|_| view.get("train.loss.forward_kl").is_none())?;
    let size = view.integer("train.batch.size").filter(|&size| size == 1)?;
    let problem = Problem::new("train.batch.size", format!("must be at least 2 where there is {key}"));
    Some(problem.value(size).hint("each configuration is held against the mean over the others"))
}

/// The kernels of a GPU take slices of so many sites.
fn determinant_fits_the_device(view: &View) -> Option<Problem> {
    let key = "train.determinant";
    view.get(key).and_then(Value::as_str).filter(|chosen| *chosen == "device")?;
    view.number("theory.schwinger.kappa").filter(|kappa| *kappa > 0.0)?;
    let extents = view.get("theory.schwinger.extents")?.as_array()?;
    let wrong = ["time", "space"].into_iter().zip(extents).zip(DEVICE_EXTENTS);
    let mut rules = wrong.filter_map(|((direction, extent), most)| {
        let extent = extent.as_integer().filter(|extent| *extent > most as i64)?;
        Some(format!("takes at most {most} sites in {direction}, and theory.schwinger.extents has {extent}"))
    });
    let hint = "leave it out: determinants are then computed on the host";
    Some(Problem::new(key, rules.next()?).value("device").hint(hint))
}

/// Keys that act on gauge fields alone, or on fermions.
fn keys_of_gauge_theories(view: &View) -> Vec<Problem> {
    let is_gauge = view.get("theory.schwinger").is_some();
    let has_fermions = view.number("theory.schwinger.kappa").is_some_and(|kappa| kappa > 0.0);
    let keys = [
        ("sample.hmc.instanton_every", is_gauge, "has an effect on gauge theories alone"),
        ("sample.hmc.fermions", has_fermions, "has an effect with fermions alone, kappa > 0"),
        (
            "sample.heat_bath",
            is_gauge && !has_fermions,
            "is for theory.schwinger without fermions, kappa = 0",
        ),
        ("train.determinant", is_gauge, "has an effect on gauge theories alone"),
        ("sample.hmc.gauge_steps", has_fermions, "has an effect with fermions alone, kappa > 0"),
    ];
    let without = keys.into_iter().filter(|(key, acts, _)| !acts && view.get(key).is_some());
    without.map(|(key, _, rule)| Problem::new(key, rule)).collect()
}
