//! Tables and the arithmetic behind them.

use std::{
    io::{Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, Instant},
};

use comfy_table::{Table, presets};

pub(crate) fn table<const N: usize>(title: &str, head: [&str; N], rows: Vec<[String; N]>) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(head);
    for row in rows {
        table.add_row(row);
    }
    println!("\n{title}\n{table}");
}

pub(crate) fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "MISSED" }
}

#[allow(clippy::print_stderr, reason = "progress")]
pub(crate) fn progress(text: &str) {
    eprintln!("… {text}");
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which this share of all lies.
pub(crate) fn at(share: f64, values: &mut [Duration]) -> Duration {
    values.sort();
    values[((values.len() - 1) as f64 * share).round() as usize]
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// How often a second this disk makes one page durable: 4 KiB written over the same place of a file that is there
/// already, then `fdatasync`.
pub(crate) fn raw_sync_rate(folder: &Path, time: Duration) -> f64 {
    let mut file = std::fs::File::create(folder.join("sync")).unwrap();
    file.write_all(&[1; 4096]).unwrap();
    file.sync_all().unwrap();
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < time {
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&[count as u8; 4096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// The process's largest resident size so far, in MB.
pub(crate) fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}
