//! Answers recorded from a real Tempo, one test per case.
//!
//! The recordings are not part of this repository: `TRACEWRIGHT_GOLDENS` names the folder that holds
//! `tempo-goldens/`, else `../shared` beside the repository is tried. Without them there is one ignored test.
mod cases;
mod compare;
mod generator;
mod left_out;
mod world;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let Some(folder) = cases::folder() else {
        let trial =
            Trial::test("tempo_goldens::no_recordings_set_TRACEWRIGHT_GOLDENS", || Ok(())).with_ignored_flag(true);
        libtest_mimic::run(&arguments, vec![trial]).exit();
    };
    let all = cases::load(&folder);
    let world = world::World::new(&folder);
    let answers = world.ask(&all);
    let trials = all.into_iter().zip(answers).map(|(case, answer)| {
        let reason = left_out::reason(&case.name);
        let name = match reason {
            Some(reason) => format!("{} [left out: {reason}]", case.name),
            None => case.name.clone(),
        };
        let base_s = world.base_s;
        Trial::test(name, move || compare::compare(&case, &answer, base_s).map_err(Failed::from))
            .with_ignored_flag(reason.is_some())
    });
    let generator = Trial::test("metrics-generator", move || generator::compare(&folder).map_err(Failed::from));
    libtest_mimic::run(&arguments, trials.chain([generator]).collect()).exit();
}
