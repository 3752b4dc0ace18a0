//! Swarms of simulated calls. Far more of them are played by the example `simulate`.

use drongo::sim::swarm::{self, Options, Scenario};

#[test]
fn worlds_of_all_kinds_come_to_rest_with_nothing_wrong() {
    let options = Options::default();
    let mut answered = 0;
    for seed in 0..150 {
        let outcome = swarm::run(&Scenario::draw(seed, &options));
        assert!(
            outcome.violations.is_empty(),
            "seed {seed}: {:#?}\n{}",
            outcome.violations,
            outcome.trace.ladder()
        );
        answered += outcome.answered;
    }
    assert!(answered > 100, "calls are answered, too: {answered}");
}

#[test]
fn same_seed_gives_the_same_bytes() {
    for seed in 1_000..1_020 {
        let scenario = Scenario::draw(seed, &Options::default());
        assert_eq!(scenario, Scenario::draw(seed, &Options::default()));
        let (one, two) = (swarm::run(&scenario), swarm::run(&scenario));
        assert_eq!(one.trace, two.trace, "seed {seed}");
        assert_eq!((one.events, one.elapsed), (two.events, two.elapsed));
    }
}

#[test]
fn other_seed_gives_another_world() {
    let draw = |seed| Scenario::draw(seed, &Options::default());
    let worlds: Vec<Scenario> = (0..50).map(draw).collect();
    for (at, world) in worlds.iter().enumerate() {
        let same = |other: &&Scenario| other.calls == world.calls;
        assert_eq!(worlds.iter().filter(same).count(), 1, "seed {at}");
    }
}

#[test]
fn scenario_without_fault_is_not_made_smaller() {
    let scenario = Scenario::draw(3, &Options::default());
    assert_eq!(swarm::shrink(&scenario), scenario);
}

/// Debug and release builds and every machine must come to the same: `simulate --seeds 40` prints
/// it as `digest`. A change that means to send other bytes changes it, as any snapshot.
#[test]
fn traces_are_the_same_bytes_in_every_build() {
    let digest = |seed| swarm::run(&Scenario::draw(seed, &Options::default())).digest();
    let sum = (0..40).map(digest).fold(0, u64::wrapping_add);
    insta::assert_snapshot!(format!("{sum:016x}"));
}
