//! `flowqcd devices`.

use super::output::print;
use super::table;
use crate::device::{self, DeviceInfo};
use crate::error::Result;

/// Prints what `--device` can name.
pub fn devices(json: bool) -> Result<()> {
    let devices = device::list();
    match json {
        true => print(&serde_json::to_string_pretty(&devices).expect("plain data")),
        false => print(&text(&devices)),
    }
}

fn text(devices: &[DeviceInfo]) -> String {
    let row = |info: &DeviceInfo| {
        let memory = info.memory.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)));
        let parts = [&info.kind, &info.model, &info.api, &info.driver, &memory.unwrap_or_default()];
        let parts: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let auto = if info.auto { "  <- auto" } else { "" };
        (info.name.clone(), parts.join(", ") + auto)
    };
    table::lines(&devices.iter().map(row).collect::<Vec<_>>())
}
