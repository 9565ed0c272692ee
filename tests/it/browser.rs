//! The page in a browser: what it shows is what the tables say, curves can be hidden and pointed at, and no script fails.

use super::support::{Sandbox, column, table};
use serde_json::Value;
use std::io::Write;
use std::process::Command;

/// Digits that hovering shows, and more than that are kept in curves.
const HOVERED: f64 = 1e-5;

/// Where Chromium may be.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Notes what goes wrong while the page is read.
const LISTEN: &str = "<script>
    window.failures = [];
    addEventListener('error', (event) => failures.push(event.message));
    addEventListener('unhandledrejection', (event) => failures.push(String(event.reason)));
    for (const name of ['error', 'warn']) console[name] = (...texts) => failures.push(texts.join(' '));
</script>";

/// What tests use to look at the page, and what makes every page well-formed for those who do not see it.
const LOOK: &str = "
    const all = (selector) => [...document.querySelectorAll(selector)];
    const figure = (name) => document.getElementById('figure-' + name);
    const shown = (name, colour) => {
        const canvas = figure(name).querySelector('canvas');
        const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const dots = context.getImageData(0, 0, canvas.width, canvas.height).data;
        const wanted = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
        let count = 0;
        for (let i = 0; i < dots.length; i += 4) {
            if (dots[i + 3] > 200 && wanted.every((part, j) => Math.abs(part - dots[i + j]) < 12)) count += 1;
        }
        return count;
    };
    const point = (name, x, y) => {
        const plot = JSON.parse(document.getElementById('plots').textContent).find((plot) => plot.name === name);
        const part = ({ log, range: [from, to] }, value) =>
            log ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from);
        const over = figure(name).querySelector('.u-over');
        const { left, top, width, height } = over.getBoundingClientRect();
        const [clientX, clientY] = [left + part(plot.x, x) * width, top + (1 - part(plot.y, y)) * height];
        over.dispatchEvent(new MouseEvent('mouseenter', { clientX, clientY }));
        over.dispatchEvent(new MouseEvent('mousemove', { clientX, clientY, bubbles: true }));
        const tip = figure(name).querySelector('.tip');
        return { hidden: tip.hidden, lines: [...tip.children].map((line) => line.textContent) };
    };
    const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
    const form = () => {
        const ids = all('[id]').map((element) => element.id);
        const levels = all('h1, h2, h3, h4').map((heading) => Number(heading.tagName[1]));
        const named = all('[aria-labelledby]').map((element) => element.getAttribute('aria-labelledby'));
        return {
            twice: ids.filter((id, place) => ids.indexOf(id) !== place),
            skipped: levels.filter((level, place) => level > (levels[place - 1] ?? 0) + 1),
            unscoped: all('th:not([scope])').length,
            unnamed: named.filter((id) => document.getElementById(id) === null),
            dead: all('a[href^=\"#\"]').filter((link) => document.querySelector(link.hash) === null).length,
            hidden: all('.still').filter((still) => getComputedStyle(still).display !== 'none').length,
        };
    };
";

/// Opens a page, waits for `script` to return, and gives what it returned. On a machine without Chromium the test says so and passes,
/// unless `FLOWQCD_REQUIRE_CHROMIUM` is set.
fn open(sandbox: &Sandbox, page: &str, script: &str) -> Option<Value> {
    let browser = browser()?;
    let check = format!(
        "<script>(async () => {{ {LOOK} const found = await (async () => {{ {script} }})().catch((error) => ({{ thrown: String(error) }}));
        const text = JSON.stringify({{ found, form: form(), failures }});
        document.body.replaceChildren(Object.assign(document.createElement('pre'), {{ id: 'found', textContent: encodeURIComponent(text) }}));
        }})();</script></body>"
    );
    let text = sandbox.read(page);
    let text = text.replacen("<head>", &format!("<head>{LISTEN}"), 1).replacen("</body>", &check, 1);
    let path = sandbox.write("checked.html", &text);
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,900"])
        .args(["--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", sandbox.path("profile").display()))
        .arg(format!("file://{}", path.display()))
        .output()
        .expect("the browser starts");
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!log.contains(":CONSOLE"), "{log}");
    let begin = dom.find("<pre id=\"found\">").unwrap_or_else(|| panic!("the script did not end: {log}"));
    let encoded = dom[begin..].split(['>', '<']).nth(2).unwrap();
    let result: Value = serde_json::from_str(&decoded(encoded)).unwrap();
    assert_eq!(result["failures"], serde_json::json!([]), "{result}");
    let form = result["form"].as_object().unwrap();
    assert!(form.values().all(|fault| *fault == 0 || *fault == serde_json::json!([])), "{form:?}");
    Some(result["found"].clone())
}

fn browser() -> Option<&'static str> {
    let starts = |name: &&&str| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let found = NAMES.iter().find(starts).copied();
    if found.is_none() {
        assert!(
            std::env::var_os("FLOWQCD_REQUIRE_CHROMIUM").is_none(),
            "no Chromium, but it is required here"
        );
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        // Not by `eprintln!`, which a test that passes keeps to itself.
        std::io::stderr()
            .write_all(format!("{test}: left out, no Chromium on this machine\n").as_bytes())
            .unwrap();
    }
    found
}

/// A text that was made safe for addresses.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let code = std::str::from_utf8(&others[..others.len().min(2)]).ok();
        match (first, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(byte)) => (bytes.push(byte), rest = &others[2..]).1,
            _ => (bytes.push(*first), rest = others).1,
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_curve_is_pointed_at_and_hidden_and_values_are_those_of_the_tables() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/tutorial", "run");
    sandbox.flowqcd(&["report", "run"]).succeeds();
    let train = sandbox.read("run/train.csv");
    let (samples, ess) = (column(&train, "samples")[100], column(&train, "ess_smoothed")[100]);
    let script = format!(
        "const blue = '#0072b2';
        const values = all('#results tbody tr').map((row) => [...row.cells].map((field) => field.dataset.value ?? field.textContent));
        const tip = point('training_ess', {samples}, {ess});
        const before = shown('training_ess', blue);
        const button = figure('training_ess').querySelector('.names button');
        button.click();
        await settled();
        const after = shown('training_ess', blue);
        const gone = point('training_ess', {samples}, {ess});
        const pressed = button.getAttribute('aria-pressed');
        button.click();
        await settled();
        return {{ values, tip, before, after, gone, pressed, again: shown('training_ess', blue), name: button.textContent }};"
    );
    let Some(found) = open(&sandbox, "run/report.html", &script) else { return };
    assert!(found["thrown"].is_null(), "{found}");

    let number = |text: &Value| text.as_str().unwrap().parse::<f64>().unwrap();
    let (header, rows) = table(&sandbox.read("run/observables.csv"));
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    // Observable, exact, then of three methods the value and the pull, and of two the autocorrelation time.
    for row in &rows {
        let [method, name, value] = ["method", "observable", "value"].map(|name| row[place(name)].as_str());
        let line =
            found["values"].as_array().unwrap().iter().find(|line| line[0] == name).expect("a row for each");
        let of_time = name.starts_with("two_point") || name.starts_with("effective_mass");
        let column = match (method, of_time) {
            ("direct", false) => 2,
            ("independence", false) => 4,
            ("hmc", false) => 7,
            // Functions of the time have no exact values.
            ("direct", true) => 1,
            ("independence", true) => 2,
            _ => 4,
        };
        if !value.is_empty() {
            assert_eq!(number(&line[column]), value.parse::<f64>().unwrap(), "{method} {name} in {line}");
        }
    }

    assert_eq!(found["tip"]["hidden"], false, "{found}");
    let hovered = |line: usize| {
        let text = found["tip"]["lines"][line].as_str().unwrap();
        text.rsplit(": ").next().unwrap().replace('\u{202f}', "").parse::<f64>().unwrap()
    };
    assert_eq!((found["tip"]["lines"][0].as_str(), hovered(1)), (Some("run"), samples));
    assert!((hovered(2) - ess).abs() < HOVERED * ess, "{} is shown for {ess}", hovered(2));

    let count = |name: &str| found[name].as_u64().unwrap();
    assert!(count("before") > 300, "a curve has hundreds of dots: {found}");
    assert_eq!((count("after"), count("again")), (0, count("before")));
    assert_eq!((&found["pressed"], &found["gone"]["hidden"]), (&Value::from("false"), &Value::from(true)));
}

#[test]
fn cells_of_a_study_are_sorted_by_a_click_and_points_have_errors() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/hmc_against_flow", "study");
    sandbox.flowqcd(&["report", "study"]).succeeds();
    let (header, rows) = table(&sandbox.read("study/ess.csv"));
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let mut finals: Vec<f64> = rows
        .iter()
        .filter(|row| row[place("stage")] == "final")
        .map(|row| row[place("ess")].parse().unwrap())
        .collect();
    let extents = |row: &Vec<String>| {
        row[place("extents")].trim_start_matches('[').split(',').next().unwrap().to_owned()
    };
    let script = format!(
        "const table = document.querySelector('#results table');
        const heading = [...table.tHead.rows[0].cells].find((heading) => heading.textContent.startsWith('ESS (68%)'));
        const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[heading.cellIndex].dataset.value));
        heading.querySelector('button').click();
        const rising = column();
        heading.querySelector('button').click();
        const tip = point('ess', {}, {});
        const open = all('details.cell').length;
        return {{ rising, falling: column(), sort: heading.getAttribute('aria-sort'), tip, open, sentence:
            document.querySelector('.crossover').textContent }};",
        extents(&rows[0]),
        rows[0][place("ess")]
    );
    let Some(found) = open(&sandbox, "study/report.html", &script) else { return };
    assert!(found["thrown"].is_null(), "{found}");
    let numbers = |name: &str| -> Vec<f64> {
        found[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    finals.sort_by(f64::total_cmp);
    assert_eq!(numbers("rising"), finals);
    finals.reverse();
    assert_eq!((numbers("falling"), found["sort"].as_str()), (finals, Some("descending")));
    assert_eq!(found["open"].as_u64(), Some(5));
    let tip = found["tip"]["lines"].as_array().unwrap();
    let shown = |end: &str| rows[0][place(end)].parse::<f64>().unwrap();
    let interval = tip.last().unwrap().as_str().unwrap().trim_start_matches("68%: ");
    let ends: Vec<f64> = interval.split(" … ").map(|end| end.parse().unwrap()).collect();
    for (end, expected) in ends.iter().zip([shown("ess_low"), shown("ess_high")]) {
        assert!((end - expected).abs() < 10.0 * HOVERED, "{tip:?}");
    }
}
