//! Flows of link angles: what is read, what is written, what is refused.

use super::*;

const GAUGE: &str = r#"
version = 1
seed = 1

[theory.schwinger]
extents = [8, 8]
beta = 2.0
kappa = 0.25

[flow.gauge]
layers = 24
kernel_size = 3
hidden = [32, 32]

[train.batch]
size = 64

[train.optimizer.adam]
learning_rate = 1e-3

[train.stop]
steps = 10
"#;

fn with(changes: &[&str]) -> Spec {
    let changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
    Spec::parse(GAUGE, &changes).unwrap()
}

fn gauge(spec: &Spec) -> &GaugeSpec {
    match spec.flow.as_ref().expect("it has one") {
        FlowSpec::Gauge(gauge) => gauge,
        FlowSpec::Affine(_) => panic!("a flow of links"),
    }
}

#[test]
fn splines_of_eight_knots_are_taken_without_a_choice_and_any_map_may_be_chosen_instead() {
    let left_out = with(&[]);
    assert_eq!(gauge(&left_out).map, MapSpec::Spline(SplineSpec { knots: 8 }));
    for written in ["flow.gauge.map.spline.knots=8", "flow.gauge.map.spline={}"] {
        assert_eq!(with(&[written]).digest(), left_out.digest());
    }
    let tan = with(&["flow.gauge.map.tan.components=4"]);
    assert_eq!(gauge(&tan).map, MapSpec::Tan(TanSpec { components: 4 }));
    assert_eq!(gauge(&with(&["flow.gauge.map.tan={}"])).map, MapSpec::Tan(TanSpec { components: 6 }));
    assert_ne!(tan.digest(), left_out.digest());
    // A resolved specification leaves the choice open, too.
    let text = left_out.to_toml();
    assert_eq!(Spec::parse(&text, &["flow.gauge.map.tan.components=4".into()]).as_ref(), Ok(&tan));
    for spec in [left_out, tan, with(&["flow.gauge.dilations=[1,2,3]", "flow.gauge.initial.xavier.gain=0.5"])]
    {
        assert_eq!(Spec::parse(&spec.to_toml(), &[]).unwrap(), spec);
    }
}

/// A22, App. A: `6 · 32 + 32 · 32 + 32 · 25` weights for each of 9 taps, in 24 layers.
#[test]
fn channels_are_those_of_the_features_and_of_the_map() {
    let spec = with(&[]);
    assert_eq!(gauge(&spec).channels(), [6, 32, 32, 25]);
    assert_eq!(gauge(&spec).parameters(), 24.0 * 9.0 * (6.0 * 32.0 + 32.0 * 32.0 + 32.0 * 25.0));
    assert_eq!(gauge(&with(&["flow.gauge.map.tan={}"])).channels(), [6, 32, 32, 7]);
}

#[test]
fn weights_serve_where_only_initial_weights_or_the_theory_differ() {
    let flow = |changes: &[&str]| with(changes).flow.expect("it has one");
    let own = flow(&[]);
    assert!(own.has_weights_of(&flow(&["flow.gauge.initial.kaiming.width=0.5"])));
    assert!(own.has_weights_of(&flow(&["flow.gauge.dilations=[1,1,1]", "theory.schwinger.extents=[16,16]"])));
    let pure = "flow.gauge.base.pure_gauge.beta=2.0";
    for other in ["flow.gauge.dilations=[1,2,1]", "flow.gauge.map.tan={}", "flow.gauge.layers=16", pure] {
        assert!(!own.has_weights_of(&flow(&[other])), "{other}");
    }
    assert!(!own.is_of_one_lattice() && own.base().is_none());
}

/// Training goes on from another β of the base, and a model belongs to the one that it was trained for.
#[test]
fn a_base_of_pure_gauge_theory_is_of_its_kind() {
    let flow =
        |beta: &str| with(&[&format!("flow.gauge.base.pure_gauge.beta={beta}")]).flow.expect("it has one");
    let (one, other) = (flow("2.0"), flow("3.0"));
    assert!(one.architecture() == other.architecture() && !one.has_weights_of(&other));
    let uniform = with(&["flow.gauge.base.haar_uniform={}"]);
    assert!(one.architecture() != with(&[]).flow.expect("it has one").architecture());
    assert_eq!(uniform.to_toml(), with(&[]).to_toml());
    assert!(
        with(&["flow.gauge.base.pure_gauge.beta=2.0"])
            .to_toml()
            .contains("[flow.gauge.base.pure_gauge]\nbeta = 2.0")
    );
}

#[test]
fn wrong_flows_of_links_are_named_with_their_rule() {
    for (changes, expected) in [
        (&["flow.gauge.map.spline.knots=1"][..], "flow.gauge.map.spline.knots = 1: must be at least 2"),
        (&["flow.gauge.map={}"], "flow.gauge.map: needs one of: flow.gauge.map.spline, flow.gauge.map.tan"),
        (&["flow.gauge.maps.tan={}"], "did you mean `flow.gauge.map`?"),
        (
            &["flow.gauge.base.pure_gauge.beta=0"],
            "flow.gauge.base.pure_gauge.beta = 0: must be greater than 0",
        ),
        (&["flow.gauge.base.pure_gauge={}"], "flow.gauge.base.pure_gauge.beta"),
        (&["flow.gauge.base.unit_normal={}"], "flow.gauge.base.unit_normal"),
        (&["flow.gauge.sectors.largest=0"], "flow.gauge.sectors.largest = 0: must be at least 1"),
        (
            &["flow.gauge.sectors.weights={}"],
            "flow.gauge.sectors.weights: needs one of: flow.gauge.sectors.weights.fixed, flow.gauge.sectors.weights.learned",
        ),
        (
            &["flow.gauge.sectors.weights.fixed.moving=1.0"],
            "flow.gauge.sectors.weights.fixed.moving = 1.0: must be less than 1",
        ),
        (&["flow.gauge.sectors.weights.fixed={}"], "flow.gauge.sectors.weights.fixed.moving"),
        (
            &["flow.gauge.sectors.weights.learned={}", "train.batch.size=1"],
            "train.batch.size = 1: must be at least 2 where there is flow.gauge.sectors.weights.learned",
        ),
        (
            &["flow.gauge.symmetrise=odd"],
            "symmetrise = \"odd\": must be one of: never, after_training, always, equivariant",
        ),
        (&["flow.gauge.kernel_size=2"], "flow.gauge.kernel_size = 2: must be odd"),
        (&["flow.gauge.kernel_size=9"], "flow.gauge.kernel_size = 9: must not exceed the smallest extent, 8"),
        (&["flow.gauge.dilations=[1,2]"], "flow.gauge.dilations = [1, 2]: must have 3 entries"),
        (&["flow.gauge.dilations=[1,0,1]"], "flow.gauge.dilations[1] = 0: must be at least 1"),
        (
            &["flow.gauge.dilations=[1,2,4]"],
            "must reach less far than the smallest extent, 8, and 4 reaches 8",
        ),
        (
            &["theory.schwinger.extents=[8,6]"],
            "extents[1] = 6: must be a multiple of 4 where there is flow.gauge",
        ),
        (&["theory.schwinger.extents=[7,8]"], "theory.schwinger.extents[0] = 7: must be even"),
        (
            &["theory={phi4={extents=[8,8],mass_squared=1.0,coupling=1.0}}"],
            "flow.gauge: acts on link angles, and theory.phi4 is a scalar field",
        ),
        (
            &["flow={affine={layers=2,kernel_size=3,hidden=[4]}}"],
            "flow.affine: acts on scalar fields, and theory.schwinger has link angles",
        ),
    ] {
        let found = problems(GAUGE, changes);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{expected} is not what is found: {found:?}"
        );
    }
}

/// Densities that are a mean of two have the weights of the flow alone, those of an equivariant one are of another.
#[test]
fn a_flow_of_links_that_is_made_even_says_so_and_others_do_not() {
    let flow = |spec: &Spec| spec.flow.clone().expect("it has one");
    let even = |value: &str| with(&[&format!("flow.gauge.symmetrise={value}")]);
    let plain = with(&[]);
    assert_eq!(even("never").digest(), plain.digest());
    assert!(!plain.to_toml().contains("symmetrise"));
    let [after, always, equivariant] = ["after_training", "always", "equivariant"].map(even);
    assert!(equivariant.to_toml().contains("symmetrise = \"equivariant\""));
    let kept = [&plain, &after, &always].map(|spec| flow(spec).kept_per_site());
    assert_eq!(kept, [kept[0], kept[0], 2.0 * kept[0]]);
    assert!(flow(&equivariant).kept_per_site() > 2.0 * kept[0]);
    assert_eq!(flow(&equivariant).parameters(&[8, 8]), flow(&plain).parameters(&[8, 8]));
    assert!(flow(&always).has_weights_of(&flow(&after)) && flow(&plain).has_weights_of(&flow(&always)));
    assert!(!flow(&equivariant).has_weights_of(&flow(&plain)));
}

#[test]
fn moves_between_sectors_are_a_choice_within_a_choice() {
    let flow = |spec: &Spec| spec.flow.clone().expect("it has one");
    let sectors = |set: &str| with(&[&format!("flow.gauge.sectors={set}")]);
    let plain = with(&[]);
    assert!(!plain.to_toml().contains("sectors") && gauge(&plain).sectors.is_none());
    let uniform = sectors("{}");
    let expected = SectorsSpec { largest: 1, weights: SectorWeights::Uniform };
    assert_eq!(gauge(&uniform).sectors.as_ref(), Some(&expected));
    assert_eq!(sectors("{weights={uniform={}},largest=1}").digest(), uniform.digest());
    let fixed = sectors("{largest=2,weights={fixed={moving=0.25}}}");
    let learned = sectors("{largest=3,weights={learned={}}}");
    for spec in [&uniform, &fixed, &learned] {
        assert_eq!(Spec::parse(&spec.to_toml(), &[]).as_ref(), Ok(spec));
        assert_ne!(spec.digest(), plain.digest());
    }
    let kept = flow(&plain).kept_per_site();
    let even = with(&["flow.gauge.sectors.largest=2", "flow.gauge.symmetrise=always"]);
    let all = [&uniform, &fixed, &learned, &even].map(|spec| flow(spec).kept_per_site());
    assert_eq!(all, [3.0, 5.0, 7.0, 10.0].map(|passes| passes * kept));
    let parameters = |spec: &Spec| flow(spec).parameters(&[8, 8]);
    assert_eq!(parameters(&fixed), parameters(&plain));
    assert_eq!(parameters(&learned), parameters(&plain) + 3.0);
    // Only what is learned is another set of weights.
    assert!(flow(&fixed).has_weights_of(&flow(&plain)) && flow(&plain).has_weights_of(&flow(&uniform)));
    assert!(!flow(&learned).has_weights_of(&flow(&plain)));
    assert_ne!(flow(&uniform).architecture(), flow(&plain).architecture());
}

#[test]
fn fewer_layers_than_move_all_links_are_remarked_on() {
    assert_eq!(with(&[]).remarks(), Vec::<String>::new());
    let remarks = with(&["flow.gauge.layers=7"]).remarks();
    assert!(
        remarks.len() == 1 && remarks[0].starts_with("flow.gauge.layers = 7: 8 layers move"),
        "{remarks:?}"
    );
}

#[test]
fn determinants_come_from_the_host_without_a_choice_and_from_a_gpu_where_its_kernels_take_them() {
    let (left_out, host, device) =
        (with(&[]), with(&["train.determinant=host"]), with(&["train.determinant=device"]));
    assert_eq!(host.digest(), left_out.digest());
    assert!(!left_out.to_toml().contains("determinant"));
    assert_ne!(device.digest(), left_out.digest());
    assert_eq!(Spec::parse(&device.to_toml(), &[]).unwrap(), device);
    for (extents, kappa, refused) in [
        ("[64, 32]", "0.25", None),
        ("[8, 64]", "0.0", None),
        ("[8, 36]", "0.25", Some("takes at most 32 sites in space")),
        ("[4000, 32]", "0.25", Some("takes at most 3000 sites in time")),
    ] {
        let changes = [
            "train.determinant=device".to_owned(),
            format!("theory.schwinger.extents={extents}"),
            format!("theory.schwinger.kappa={kappa}"),
        ];
        let found = Spec::parse(GAUGE, &changes).map_err(|problems| format!("{problems:?}"));
        match refused {
            None => assert!(found.is_ok(), "{extents}: {found:?}"),
            Some(rule) => assert!(found.as_ref().is_err_and(|found| found.contains(rule)), "{found:?}"),
        }
    }
}
