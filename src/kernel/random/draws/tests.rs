use super::*;
use proptest::prelude::*;

fn sample(name: &str, params: &[f64], n: usize) -> Vec<f64> {
    let law = Law::named(name).unwrap();
    let params: Vec<Block> = params.iter().map(|&p| Block::scalar(p)).collect();
    let block = draw(law, &params, law.natural(), 11, &[n], &[0], &[n]).unwrap();
    block.cast(DType::F64).unwrap().as_slice::<f64>().unwrap().to_vec()
}

/// The largest gap between the distribution of numbers drawn and the one it should be, in units that do not depend on how many there are
/// (Kolmogorov): above 1.95 for one sample in a thousand. Steps of whole numbers make it smaller.
fn gap(mut drawn: Vec<f64>, below: impl Fn(f64) -> f64) -> f64 {
    drawn.sort_by(f64::total_cmp);
    let n = drawn.len() as f64;
    let mut most: f64 = 0.0;
    let mut at = 0;
    while at < drawn.len() {
        let next = at + drawn[at..].iter().take_while(|&&x| x == drawn[at]).count();
        most = most.max((below(drawn[at]) - next as f64 / n).abs());
        at = next;
    }
    most * n.sqrt()
}

/// How likely a count is k at most, by the quotients of neighbours' probabilities.
fn up_to(k: f64, first: f64, next: impl Fn(f64) -> f64) -> f64 {
    let (mut p, mut sum) = (first, first);
    for j in 0..k as usize {
        p *= next(j as f64);
        sum += p;
    }
    sum
}

#[test]
fn numbers_are_distributed_as_they_should_be() {
    let n = 20_000;
    // Gamma of a whole shape is the waiting time for so many events of Poisson's distribution.
    let waiting = |x: f64, events: f64| 1.0 - up_to(events - 1.0, (-x).exp(), |k| x / (k + 1.0));
    type Below = Box<dyn Fn(f64) -> f64>;
    let checks: Vec<(&str, Vec<f64>, Below)> = vec![
        ("gamma", vec![1.0, 2.0], Box::new(|x| 1.0 - (-x / 2.0).exp())),
        ("gamma", vec![4.0, 1.0], Box::new(move |x| waiting(x, 4.0))),
        ("chisquare", vec![6.0], Box::new(move |x| waiting(x / 2.0, 3.0))),
        // Below one: the square of a normal number; the error function by its series.
        (
            "gamma",
            vec![0.5, 1.0],
            Box::new(|x| {
                let x = x.sqrt();
                let terms = (0..200).scan(x, |term, k| {
                    let now = *term / (2 * k + 1) as f64;
                    *term *= -x * x / (k + 1) as f64;
                    Some(now)
                });
                if x > 4.0 { 1.0 } else { terms.sum::<f64>() * 2.0 / std::f64::consts::PI.sqrt() }
            }),
        ),
        ("beta", vec![2.0, 1.0], Box::new(|x| x * x)),
        ("beta", vec![0.5, 0.5], Box::new(|x| x.sqrt().asin() / std::f64::consts::FRAC_PI_2)),
        ("f", vec![2.0, 2.0], Box::new(|x| x / (1.0 + x))),
        ("standard-t", vec![1.0], Box::new(|x| 0.5 + x.atan() / std::f64::consts::PI)),
        ("standard-t", vec![2.0], Box::new(|x| 0.5 + x / (2.0 * (2.0 + x * x).sqrt()))),
        ("vonmises", vec![0.0, 0.0], Box::new(|x| x / std::f64::consts::TAU + 0.5)),
        (
            "triangular",
            vec![0.0, 1.0, 2.0],
            Box::new(|x| if x < 1.0 { x * x / 2.0 } else { 1.0 - (2.0 - x).powi(2) / 2.0 }),
        ),
        ("poisson", vec![3.0], Box::new(|x| up_to(x, (-3.0f64).exp(), |k| 3.0 / (k + 1.0)))),
        ("poisson", vec![50.0], Box::new(|x| up_to(x, (-50.0f64).exp(), |k| 50.0 / (k + 1.0)))),
        ("binomial", vec![9.0, 0.7], Box::new(|x| up_to(x, 0.3f64.powi(9), |k| (9.0 - k) / (k + 1.0) * 0.7 / 0.3))),
        (
            "binomial",
            vec![100.0, 0.4],
            Box::new(|x| up_to(x, 0.6f64.powi(100), |k| (100.0 - k) / (k + 1.0) * 0.4 / 0.6)),
        ),
        ("geometric", vec![0.25], Box::new(|x| 1.0 - 0.75f64.powf(x))),
        ("negative-binomial", vec![1.0, 0.25], Box::new(|x| 1.0 - 0.75f64.powf(x + 1.0))),
        // 30 of 40, of which 20 are good: from 10 on.
        (
            "hypergeometric",
            vec![20.0, 20.0, 30.0],
            Box::new(|x| {
                let first = (1..=10).map(|k| (10.0 + k as f64) / (30.0 + k as f64)).product();
                up_to(x - 10.0, first, |k| (10.0 - k) * (20.0 - k) / ((k + 11.0) * (k + 1.0)))
            }),
        ),
        ("logseries", vec![0.5], Box::new(|x| up_to(x - 1.0, 0.5 / 2f64.ln(), |k| 0.5 * (k + 1.0) / (k + 2.0)))),
        (
            "zipf",
            vec![2.0],
            Box::new(|x| {
                let terms = (1..=x.min(1e6) as u64).map(|k| (k as f64).powi(-2));
                terms.sum::<f64>() * 6.0 / std::f64::consts::PI.powi(2)
            }),
        ),
    ];
    for (name, params, below) in checks {
        let gap = gap(sample(name, &params, n), below);
        assert!(gap < 1.95, "{name} {params:?}: {gap}");
    }
}

#[test]
fn large_parameters_are_no_harder_than_small_ones() {
    for (name, params, mean, deviation) in [
        ("poisson", vec![1e9], 1e9, 1e9f64.sqrt()),
        ("poisson", vec![9e18], 9e18, 3e9),
        ("binomial", vec![1e15, 0.5], 5e14, (0.25e15f64).sqrt()),
        ("gamma", vec![1e18, 1.0], 1e18, 1e9),
        ("hypergeometric", vec![1e15, 1e15, 1e6], 5e5, 500.0),
    ] {
        let n = 2000;
        let drawn = sample(name, &params, n);
        let m = drawn.iter().sum::<f64>() / n as f64;
        let d = (drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        assert!((m - mean).abs() < 0.1 * deviation, "{name} {params:?}: mean {m}");
        assert!((d / deviation - 1.0).abs() < 0.1, "{name} {params:?}: deviation {d}");
    }
    let ends = [
        ("poisson", vec![0.0], 0.0),
        ("binomial", vec![0.0, 0.5], 0.0),
        ("binomial", vec![1e18, 0.0], 0.0),
        ("binomial", vec![12.0, 1.0], 12.0),
        ("binomial", vec![1e18, 1e-300], 0.0),
        ("geometric", vec![1.0], 1.0),
        ("geometric", vec![1e-300], i64::MAX as f64),
        ("negative-binomial", vec![1e300, 1.0], 0.0),
        ("hypergeometric", vec![5.0, 0.0, 3.0], 3.0),
        ("hypergeometric", vec![0.0, 0.0, 0.0], 0.0),
        ("logseries", vec![0.0], 1.0),
        ("zipf", vec![1e300], 1.0),
        ("gamma", vec![0.0, 1.0], 0.0),
        ("gamma", vec![1e-300, 1.0], 0.0),
        ("gamma", vec![f64::INFINITY, 1.0], f64::INFINITY),
    ];
    for (name, params, want) in ends {
        assert!(sample(name, &params, 50).iter().all(|&x| x == want), "{name} {params:?}");
    }
    assert!(sample("beta", &[1e-300, 1e-300], 50).iter().all(|&x| x == 0.0 || x == 1.0));
    assert!(sample("zipf", &[1.0 + 1e-15], 50).iter().all(|&x| x >= 1.0));
    assert!(sample("negative-binomial", &[1e300, 1e-300], 50).iter().all(|&x| x > 9e18));
}

#[test]
fn parameters_that_a_distribution_does_not_have_are_refused() {
    for law in LAWS {
        for at in 0..law.params.len() {
            let draw_with = |x: f64| {
                let params: Vec<Block> =
                    (0..law.params.len()).map(|n| Block::scalar(if n == at { x } else { 0.5 })).collect();
                draw(law, &params, law.natural(), 0, &[2], &[0], &[0])
            };
            let (name, domain) = law.params[at];
            if domain != Domain::Any {
                assert!(draw_with(-1.0).is_err() && draw_with(f64::NAN).is_err(), "{name} of {}", law.name);
            }
        }
    }
    let odd = draw(
        Law::named("binomial").unwrap(),
        &[Block::scalar(2.5), Block::scalar(0.5)],
        DType::I64,
        0,
        &[1],
        &[0],
        &[1],
    );
    assert!(odd.is_err());
}

proptest! {
    /// A block is the same part of the whole array, however that is cut, also where parameters vary.
    #[test]
    fn does_not_depend_on_chunks(cut in 1usize..19, seed: u64, law in 0..LAWS.len()) {
        let law = &LAWS[law];
        let at = |from: usize, n: usize| {
            let params: Vec<Block> = law.params.iter().map(|&(name, domain)| {
                let x = |i: usize| match domain {
                    Domain::Count if name == "nsample" => 1.0,
                    Domain::Count => 1.0 + i as f64,
                    Domain::AboveOne => 1.5 + i as f64,
                    _ if name == "high" || name == "right" => 30.0,
                    _ if law.name == "triangular" => i as f64,
                    Domain::Probability | Domain::Success | Domain::BelowOne => i as f64 / 40.0 + 0.1,
                    _ => i as f64 + 0.5,
                };
                Block::from_slice(&[n], &(from..from + n).map(x).collect::<Vec<f64>>())
            }).collect();
            draw(law, &params, law.natural(), seed, &[20], &[from], &[n]).unwrap()
        };
        let whole = at(0, 20);
        let range = |start: usize, count: usize| crate::data::slice::Range { start, step: 1, count };
        prop_assert!(at(0, cut).same(&whole.slice_axis(0, range(0, cut))));
        prop_assert!(at(cut, 20 - cut).same(&whole.slice_axis(0, range(cut, 20 - cut))));
    }
}
