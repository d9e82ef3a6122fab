//! Answers recorded from a real Quickwit, one test per case.
//!
//! The recordings are not part of this repository: `TRACEWRIGHT_GOLDENS` names the folder that holds
//! `quickwit-goldens/`, else `../shared` beside the repository is tried. Without them there is one ignored test.
//! Where the store answers better on purpose, [`differences`] says how, and the case is held to that.
mod cases;
mod compare;
mod differences;
mod world;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials =
        vec![Trial::test("every_difference_is_documented", || differences::check_documented().map_err(Failed::from))];
    match cases::folder() {
        None => trials.push(
            Trial::test("quickwit_goldens::no_recordings_set_TRACEWRIGHT_GOLDENS", || Ok(())).with_ignored_flag(true),
        ),
        Some(folder) => {
            for group in [cases::Group::Plugin, cases::Group::Cases, cases::Group::OwnIndex] {
                let all = cases::load(&folder, group);
                let answers = world::World::new(&folder, group).ask(&all);
                trials.extend(all.into_iter().zip(answers).map(|(case, answer)| {
                    Trial::test(case.name.clone(), move || {
                        match differences::find(&case.name) {
                            Some(difference) => difference.check(&answer),
                            None => compare::compare(&case, &answer),
                        }
                        .map_err(Failed::from)
                    })
                }));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
