use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn open(dir: &Path, options: WalOptions) -> (Wal, Vec<(Seq, Vec<u8>)>) {
    let mut records = Vec::new();
    let wal = Wal::open(dir, options, |seq, payload| records.push((seq, payload.to_vec()))).expect("the log opens");
    (wal, records)
}

fn only_segment(dir: &Path) -> PathBuf {
    let mut paths = segment::list(dir).expect("the directory can be listed");
    assert_eq!(paths.len(), 1);
    paths.remove(0)
}

#[test]
fn appended_records_come_back_in_order() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (wal, records) = open(dir.path(), WalOptions::default());
    assert!(records.is_empty());
    assert_eq!(wal.append(b"one").expect("appends"), 1);
    assert_eq!(wal.append(b"").expect("appends"), 2);
    drop(wal);
    let (wal, records) = open(dir.path(), WalOptions::default());
    assert_eq!(records, [(1, b"one".to_vec()), (2, Vec::new())]);
    assert_eq!(wal.append(b"three").expect("appends"), 3);
}

#[test]
fn torn_tail_is_cut_and_appending_goes_on_after_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (wal, _) = open(dir.path(), WalOptions::default());
    wal.append(b"kept").expect("appends");
    drop(wal);
    let mut frame = Vec::new();
    segment::encode_frame(&mut frame, 2, b"never acknowledged").expect("small");
    let mut file = OpenOptions::new().append(true).open(only_segment(dir.path())).expect("opens");
    file.write_all(&frame[..frame.len() - 3]).expect("writes");
    drop(file);
    let (wal, records) = open(dir.path(), WalOptions::default());
    assert_eq!(records, [(1, b"kept".to_vec())]);
    assert_eq!(wal.append(b"next").expect("appends"), 2);
    drop(wal);
    let (_, records) = open(dir.path(), WalOptions::default());
    assert_eq!(records, [(1, b"kept".to_vec()), (2, b"next".to_vec())]);
}

#[test]
fn damage_before_the_last_segment_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (wal, _) = open(dir.path(), WalOptions { segment_bytes: 1, ..WalOptions::default() });
    wal.append(b"first").expect("appends");
    wal.append(b"second").expect("appends");
    drop(wal);
    let first = segment::list(dir.path()).expect("lists").remove(0);
    let mut bytes = fs::read(&first).expect("reads");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&first, bytes).expect("writes");
    let error = Wal::open(dir.path(), WalOptions::default(), |_, _| ()).expect_err("damaged");
    assert!(matches!(&error, WalError::Corrupt { path, offset: 16 } if *path == first), "{error}");
}

#[test]
fn truncation_drops_whole_segments_below_the_number_and_numbers_go_on() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = WalOptions { segment_bytes: 1, ..WalOptions::default() };
    let (wal, _) = open(dir.path(), options.clone());
    for payload in [b"1", b"2", b"3"] {
        wal.append(payload).expect("appends");
    }
    wal.truncate_before(3).expect("truncates");
    drop(wal);
    let (wal, records) = open(dir.path(), options.clone());
    assert_eq!(records, [(3, b"3".to_vec())]);
    wal.truncate_before(4).expect("truncates");
    drop(wal);
    let (wal, records) = open(dir.path(), options);
    assert!(records.is_empty());
    assert_eq!(wal.append(b"4").expect("appends"), 4);
}

#[test]
fn numbers_start_after_what_an_index_has_committed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (wal, _) = open(dir.path(), WalOptions { start_after: 41, ..WalOptions::default() });
    assert_eq!(wal.append(b"x").expect("appends"), 42);
}

#[test]
fn concurrent_appends_are_each_acknowledged_once_and_all_kept() {
    for sync in [SyncPolicy::Always, SyncPolicy::Interval(Duration::from_millis(5))] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (wal, _) = open(dir.path(), WalOptions { segment_bytes: 2_000, sync, ..WalOptions::default() });
        let mut acknowledged: Vec<Seq> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8u8)
                .map(|thread| {
                    let wal = &wal;
                    scope
                        .spawn(move || (0..50).map(|_| wal.append(&[thread; 40]).expect("appends")).collect::<Vec<_>>())
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        acknowledged.sort_unstable();
        drop(wal);
        let (_, records) = open(dir.path(), WalOptions::default());
        assert_eq!(records.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), acknowledged);
        assert_eq!(acknowledged.len(), 400);
    }
}

#[test]
fn records_beyond_a_number_can_be_read_again_while_others_are_written() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (wal, _) = open(dir.path(), WalOptions { segment_bytes: 200, ..WalOptions::default() });
    assert_eq!(wal.read_after(0, |_, _| panic!("the log is empty")).expect("reads"), 0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (1..=200u64).for_each(|number| {
                wal.append(&number.to_le_bytes()).expect("appends");
            })
        });
        let mut seen: Vec<u64> = Vec::new();
        while seen.len() < 200 {
            let after = seen.len() as Seq;
            let upto = wal.read_after(after, |seq, payload| {
                assert_eq!(payload, seq.to_le_bytes());
                seen.push(seq);
            });
            assert_eq!(upto.expect("reads"), seen.len() as Seq);
        }
        assert_eq!(seen, (1..=200).collect::<Vec<_>>());
        writer.join().expect("no panic");
    });
}

proptest! {
    /// Whatever a crash leaves of the last file: the records before the cut come back, and nothing else.
    #[test]
    fn any_cut_of_the_file_gives_a_prefix_of_the_records(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..8),
        cut in 0usize..600,
    ) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (wal, _) = open(dir.path(), WalOptions::default());
        for payload in &payloads {
            wal.append(payload).expect("appends");
        }
        drop(wal);
        let path = only_segment(dir.path());
        let bytes = fs::read(&path).expect("reads");
        fs::write(&path, &bytes[..cut.min(bytes.len())]).expect("writes");
        let (_, records) = open(dir.path(), WalOptions::default());
        prop_assert!(records.len() <= payloads.len());
        for (index, (seq, payload)) in records.iter().enumerate() {
            prop_assert_eq!(*seq, index as u64 + 1);
            prop_assert_eq!(payload, &payloads[index]);
        }
    }
}
