//! The names that charts and tools give to Jobs, and the families among them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kubectl_jobclean::job::{Job, family::families, generated_after};

use crate::support::jobs::{job, minute, with};

/// Draws the same from the same seed, always (`SplitMix64`).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        drawn ^ (drawn >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.draw() % count as u64).expect("below a usize")
    }

    fn number(&mut self, from: u64, below: u64) -> u64 {
        from + self.draw() % (below - from)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| char::from(*self.pick(alphabet)))
            .collect()
    }

    fn hex(&mut self, length: usize) -> String {
        self.text(b"0123456789abcdef", length)
    }

    /// Helm's `randAlphaNum N | lower`: a letter is twice as likely there as a digit, for each was two.
    fn alphanumeric(&mut self, length: usize) -> String {
        self.text(
            b"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789",
            length,
        )
    }

    /// What the server puts behind a generateName.
    fn completion(&mut self) -> String {
        self.text(b"bcdfghjklmnpqrstvwxz2456789", 5)
    }

    fn uuid(&mut self) -> String {
        format!(
            "{}-{}-4{}-{}{}-{}",
            self.hex(8),
            self.hex(4),
            self.hex(3),
            self.text(b"89ab", 1),
            self.hex(3),
            self.hex(12)
        )
    }
}

/// One release of something.
pub struct Release {
    at: Timestamp,
    /// The how-manieth it is, more or less.
    revision: u64,
}

impl Release {
    fn date(&self, layout: &str) -> String {
        format!("-{}", self.at.strftime(layout))
    }

    fn version(&self) -> String {
        let (major, minor) = (1 + self.revision / 20, self.revision % 20);
        format!("{major}.{minor}.{}", self.revision % 3)
    }
}

/// How names are completed.
pub struct Scheme {
    name: &'static str,
    /// In how many histories of a hundred all Jobs are of one family, at least.
    of_100: usize,
    /// That the object says what its name was completed from.
    has_generate_name: bool,
    /// What stands behind the stem, separator included.
    ending: fn(&mut Random, &Release) -> String,
}

const fn scheme(
    name: &'static str,
    of_100: usize,
    ending: fn(&mut Random, &Release) -> String,
) -> Scheme {
    Scheme {
        name,
        of_100,
        has_generate_name: false,
        ending,
    }
}

pub const SCHEMES: &[Scheme] = &[
    scheme("no ending", 100, |_, _| String::new()),
    // Helm.
    scheme("randAlphaNum 5", 0, |random, _| {
        format!("-{}", random.alphanumeric(5))
    }),
    scheme("randAlphaNum 6", 0, |random, _| {
        format!("-{}", random.alphanumeric(6))
    }),
    scheme("randAlphaNum 8", 5, |random, _| {
        format!("-{}", random.alphanumeric(8))
    }),
    scheme("randAlphaNum 10", 10, |random, _| {
        format!("-{}", random.alphanumeric(10))
    }),
    scheme("randAlphaNum 16", 50, |random, _| {
        format!("-{}", random.alphanumeric(16))
    }),
    scheme("sha256sum | trunc 5", 0, |random, _| {
        format!("-{}", random.hex(5))
    }),
    scheme("sha256sum | trunc 6", 100, |random, _| {
        format!("-{}", random.hex(6))
    }),
    scheme("sha256sum | trunc 8", 100, |random, _| {
        format!("-{}", random.hex(8))
    }),
    scheme("sha256sum | trunc 10", 100, |random, _| {
        format!("-{}", random.hex(10))
    }),
    scheme("sha256sum | trunc 12", 100, |random, _| {
        format!("-{}", random.hex(12))
    }),
    scheme(".Release.Revision", 100, |_, release| {
        format!("-{}", release.revision)
    }),
    scheme("v.Release.Revision", 100, |_, release| {
        format!("-v{}", release.revision)
    }),
    scheme("r.Release.Revision", 100, |_, release| {
        format!("-r{}", release.revision)
    }),
    scheme("rev.Release.Revision", 0, |_, release| {
        format!("-rev{}", release.revision)
    }),
    scheme("rev-.Release.Revision", 100, |_, release| {
        format!("-rev-{}", release.revision)
    }),
    scheme("revision and hash", 100, |random, release| {
        format!("-{}-{}", release.revision, random.hex(10))
    }),
    scheme("20060102", 100, |_, release| release.date("%Y%m%d")),
    scheme("060102", 100, |_, release| release.date("%y%m%d")),
    scheme("200601021504", 100, |_, release| release.date("%Y%m%d%H%M")),
    scheme("20060102150405", 100, |_, release| {
        release.date("%Y%m%d%H%M%S")
    }),
    scheme("20060102-1504", 100, |_, release| {
        release.date("%Y%m%d-%H%M")
    }),
    scheme("20060102-150405", 100, |_, release| {
        release.date("%Y%m%d-%H%M%S")
    }),
    scheme("20060102.150405", 100, |_, release| {
        release.date("%Y%m%d.%H%M%S")
    }),
    scheme("20060102t150405", 100, |_, release| {
        release.date("%Y%m%dt%H%M%S")
    }),
    scheme("20060102t150405z", 100, |_, release| {
        release.date("%Y%m%dt%H%M%Sz")
    }),
    scheme("2006-01-02", 100, |_, release| release.date("%Y-%m-%d")),
    scheme("2006.01.02", 100, |_, release| release.date("%Y.%m.%d")),
    scheme("02-01-2006", 100, |_, release| release.date("%d-%m-%Y")),
    scheme("2006-01-02-15-04-05", 100, |_, release| {
        release.date("%Y-%m-%d-%H-%M-%S")
    }),
    scheme("2006-01-02-150405", 100, |_, release| {
        release.date("%Y-%m-%d-%H%M%S")
    }),
    scheme("2006-01-02t15-04-05", 100, |_, release| {
        release.date("%Y-%m-%dt%H-%M-%S")
    }),
    scheme("2006-01-02t15-04-05z", 100, |_, release| {
        release.date("%Y-%m-%dt%H-%M-%Sz")
    }),
    scheme("2006-01-02t15.04.05z", 0, |_, release| {
        release.date("%Y-%m-%dt%H.%M.%Sz")
    }),
    scheme("2006-01-02t150405z", 100, |_, release| {
        release.date("%Y-%m-%dt%H%M%Sz")
    }),
    scheme("2006-jan-02", 100, |_, release| {
        release.date("%Y-%b-%d").to_lowercase()
    }),
    scheme("02jan2006", 100, |_, release| {
        release.date("%d%b%Y").to_lowercase()
    }),
    scheme("2006-w05", 100, |_, release| release.date("%Y-w%V")),
    scheme("2006w05", 100, |_, release| release.date("%Yw%V")),
    scheme("unixEpoch", 100, |_, release| {
        format!("-{}", release.at.as_second())
    }),
    scheme("milliseconds", 100, |random, release| {
        format!("-{}{:03}", release.at.as_second(), random.below(1000))
    }),
    scheme("nanoseconds", 100, |random, release| {
        format!(
            "-{}{:09}",
            release.at.as_second(),
            random.below(1_000_000_000)
        )
    }),
    // GitLab's chart.
    scheme("gitlab secrets", 5, |random, release| {
        format!(".{}-{}", release.revision, random.alphanumeric(3))
    }),
    scheme("gitlab secrets, mixed", 100, |random, release| {
        let letter = random.text(b"abcdefghijklmnopqrstuvwxyz", 1);
        format!(
            ".{}-{letter}{}{}",
            release.revision,
            random.below(10),
            random.hex(1)
        )
    }),
    scheme("gitlab migrations", 100, |_, release| {
        format!("-migrations-{}", release.revision)
    }),
    // Kustomize.
    scheme("kustomize", 95, |random, _| {
        format!("-{}", random.text(b"ghbkcdmfgt2456789", 10))
    }),
    // Argo CD.
    scheme("hook of a commit", 100, |random, release| {
        format!("-{}-presync-{}", random.hex(7), release.at.as_second())
    }),
    scheme("hook of a commit, doubled -", 100, |random, release| {
        format!("-{}-postsync--{}", random.hex(7), release.at.as_second())
    }),
    scheme("hook of a chart", 100, |_, release| {
        let version: String = release.version().chars().take(7).collect();
        format!("-{version}-syncfail-{}", release.at.as_second())
    }),
    // Flux.
    scheme("image automation", 100, |random, release| {
        format!("-main-{}-{}", random.hex(8), release.at.as_second())
    }),
    // Airflow and Airbyte.
    scheme("Airflow", 20, |random, _| {
        format!(
            "-{}",
            random.text(b"abcdefghijklmnopqrstuvwxyz0123456789", 8)
        )
    }),
    scheme("Airbyte's replication", 0, |_, release| {
        format!("-replication-job-{}-attempt-0", release.revision)
    }),
    scheme("Airbyte's connectors", 0, |random, release| {
        let random = random.text(b"abcdefghijklmnopqrstuvwxyz", 5);
        format!("-read-{}-0-{random}", release.revision)
    }),
    scheme("Airbyte's checks", 0, |random, _| {
        let letters = random.text(b"abcdefghijklmnopqrstuvwxyz", 5);
        format!("-check-{}-0-{letters}", random.uuid())
    }),
    // CI.
    scheme("build number", 100, |_, release| {
        format!("-{}", 40 * release.revision)
    }),
    scheme("build-number", 100, |_, release| {
        format!("-build-{}", 40 * release.revision)
    }),
    scheme("b-number", 0, |_, release| {
        format!("-b{}", 40 * release.revision)
    }),
    scheme("GitHub's run and attempt", 100, |random, release| {
        format!(
            "-{}-{}",
            6_000_000_000 + 9_000_000 * release.revision,
            1 + random.below(3)
        )
    }),
    scheme("short sha", 100, |random, _| format!("-{}", random.hex(7))),
    scheme("eight of the sha", 100, |random, _| {
        format!("-{}", random.hex(8))
    }),
    scheme("sha", 100, |random, _| format!("-{}", random.hex(40))),
    scheme("sha-short", 100, |random, _| {
        format!("-sha-{}", random.hex(7))
    }),
    scheme("branch and sha", 100, |random, _| {
        format!("-main-{}", random.hex(7))
    }),
    scheme("g and short sha", 45, |random, _| {
        format!("-g{}", random.hex(7))
    }),
    scheme("date and short sha", 100, |random, release| {
        format!("{}-{}", release.date("%Y%m%d"), random.hex(7))
    }),
    scheme("number and short sha", 100, |random, release| {
        format!("-{}-{}", release.revision, random.hex(7))
    }),
    scheme("git describe", 100, |random, release| {
        format!(
            "-v{}-{}-g{}",
            release.version(),
            1 + random.below(90),
            random.hex(7)
        )
    }),
    scheme("git describe without v", 100, |random, release| {
        format!(
            "-{}-{}-g{}",
            release.version(),
            1 + random.below(90),
            random.hex(7)
        )
    }),
    scheme("digest", 95, |random, _| {
        format!("-sha256-{}", random.hex(12))
    }),
    scheme("version", 100, |_, release| {
        format!("-{}", release.version())
    }),
    scheme("v and version", 100, |_, release| {
        format!("-v{}", release.version())
    }),
    scheme("version with dashes", 100, |_, release| {
        format!("-{}", release.version().replace('.', "-"))
    }),
    scheme("v and version with dashes", 100, |_, release| {
        format!("-v{}", release.version().replace('.', "-"))
    }),
    scheme("version with pre-release", 100, |random, release| {
        let stage = random.pick(&["-alpha.1", "-beta.2", "-rc.1", "-rc.12", ""]);
        format!("-{}{stage}", release.version())
    }),
    scheme("version with rc1", 100, |random, release| {
        let stage = random.pick(&["-rc1", "-rc2", "-beta1", ""]);
        format!("-{}{stage}", release.version())
    }),
    scheme("version with a bare word", 20, |random, release| {
        let stage = random.pick(&["-snapshot", "-dev", ""]);
        format!("-{}{stage}", release.version())
    }),
    scheme("version with pre-release, dashes", 0, |random, release| {
        let stage = random.pick(&["-rc-1", "-beta-2", ""]);
        format!("-{}{stage}", release.version().replace('.', "-"))
    }),
    scheme("version with build", 100, |random, release| {
        format!("-{}-{}", release.version(), random.hex(7))
    }),
    scheme("calendar version", 100, |_, release| {
        release.date("%Y.%-m.1")
    }),
    scheme("major.minor", 100, |_, release| {
        format!("-{}.{}", 1 + release.revision / 20, release.revision % 20)
    }),
    scheme("pull request", 100, |_, release| {
        format!("-pr-{}", 7 * release.revision)
    }),
    scheme("pull request, joined", 0, |_, release| {
        format!("-pr{}", 7 * release.revision)
    }),
    // Kubernetes.
    scheme("generateName", 25, |random, _| {
        format!("-{}", random.completion())
    }),
    Scheme {
        has_generate_name: true,
        ..scheme("generateName with its field", 100, |random, _| {
            format!("-{}", random.completion())
        })
    },
    scheme("CronJob", 100, |_, release| {
        format!("-{}", release.at.as_second() / 60)
    }),
    scheme("CronJob by hand", 0, |random, _| {
        format!("-manual-{}", random.alphanumeric(3))
    }),
    scheme("CronJob of a CronJob", 100, |random, release| {
        format!("-{}-{}", release.at.as_second() / 60, random.hex(10))
    }),
    // Others.
    scheme("UUID", 100, |random, _| format!("-{}", random.uuid())),
    scheme("UUID without -", 100, |random, _| {
        format!("-{}", random.hex(32))
    }),
    scheme("first of a UUID", 100, |random, _| {
        format!("-{}", random.hex(8))
    }),
    scheme("ULID", 100, |random, _| {
        let random = random.text(b"0123456789abcdefghjkmnpqrstvwxyz", 22);
        format!("-01hx{random}")
    }),
    scheme("xid", 95, |random, _| {
        format!("-c{}", random.text(b"0123456789abcdefghijklmnopqrstuv", 19))
    }),
    scheme("base 36 of the time", 20, |_, release| {
        let mut left = release.at.as_millisecond();
        let mut digits = Vec::new();
        while left > 0 {
            let digit = usize::try_from(left % 36).expect("a digit");
            digits.push(char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[digit]));
            left /= 36;
        }
        format!("-{}", digits.iter().rev().collect::<String>())
    }),
];

/// What stands before it. All of these are different work, however close they come to what is generated.
pub const STEMS: &[&str] = &[
    "sign",
    "hash",
    "encode",
    "build",
    "train",
    "load",
    "schema",
    "serve",
    "backup",
    "probe",
    "eu-west",
    "build-arm",
    "db-migrate",
    "create-user",
    "mssql",
    "https",
    "step1",
    "step2",
    "e2e",
    "utf8mb3",
    "utf8mb4",
    "mig",
    "run",
    "seed",
    "backup-mssql",
    "backup-pgsql",
    "backup-mysql",
    "backup-s3",
    "backup-ldap",
    "probe-https",
    "probe-grpcs",
    "probe-http",
    "probe-http2",
    "probe-ipv4",
    "probe-ipv6",
    "app-db",
    "app-db2",
    "app-db3",
    "oauth2-proxy",
    "gitlab-shared",
    "keycloak-config-cli",
    "schema-facade",
    "schema-decade",
    "schema-beaded",
    "load-deface",
    "load-efface",
    "accede-user",
    "ingress-nginx-admission-create",
    "ingress-nginx-admission-patch",
    "v2-upgrade",
    "v3-upgrade",
    "import-2024-orders",
    "import-2025-orders",
    "eu-west-1-sync",
    "app-db-sync",
    "app-bee-sync",
    "eu-west-2-sync",
    "build-amd64",
    "build-arm64",
    "build-x86",
    "build-i386",
    "build-s390x",
    "build-ppc64le",
    "build-riscv64",
    "build-armv7",
    "convert-mp3",
    "convert-mp4",
    "convert-h264",
    "convert-x265",
    "encode-480p",
    "encode-720p",
    "encode-1080p",
    "encode-4k",
    "encode-8k",
    "hash-md5",
    "hash-sha1",
    "sum-sha256",
    "hash-sha512",
    "hash-blake2b",
    "hash-blake2s",
    "hash-crc32c",
    "hash-base64",
    "sign-ed25519",
    "sign-x25519",
    "sign-secp256k1",
    "sign-secp256r1",
    "sign-p256",
    "sign-rs256",
    "test-e2e",
    "test-i18n",
    "test-l10n",
    "test-a11y",
    "test-b2b",
    "test-p2p",
    "test-k8s",
    "deploy-neo4j",
    "deploy-log4j",
    "train-yolov8n",
    "train-yolov8s",
    "train-wav2vec",
    "train-vgg16",
    "train-resnet50",
    "serve-gpt4o",
    "serve-llama3",
    "serve-gemma2b",
    "serve-gemma7b",
    "serve-7b",
    "serve-13b",
    "serve-8x7b",
    "rollup-1h",
    "rollup-24h",
    "rollup-7d",
    "rollup-30d",
    "rollup-5m",
    "rollup-15m",
    "report-q1",
    "report-q2",
    "report-q3",
    "load-100k",
    "load-1m",
    "load-10m",
    "sync-use1",
    "sync-usw2",
    "sync-euc1",
    "sync-us-east-1a",
    "sync-us-east-1b",
    "sync-us-east-1c",
    "upgrade-pg15",
    "upgrade-pg16",
    "upgrade-java17",
    "upgrade-ubuntu2204",
    "wave1",
    "wave2",
    "lab-a1",
    "lab-a2",
    "lab-b1",
    "zone-a",
    "zone-b",
    "zone-c",
    "run-x509",
    "run-pkcs12",
    "run-3d",
    "run-2d",
    "copy-dev1",
    "copy-prod1",
    "copy-prod2",
    "index-web3js",
    "index-d3js",
    "gc-etcd",
    "tests",
    "test",
    "nightly",
    "post-install",
    "pre-upgrade",
    "update-cve",
    "fix-cafe",
    "add-dad",
    "feed-bee",
    "abc",
    "abcd",
];

/// Jobs of one stem, months apart.
pub fn history(random: &mut Random, scheme: &Scheme, stem: &str, releases: &[Release]) -> Vec<Job> {
    releases
        .iter()
        .map(|release| released(stem, scheme, &(scheme.ending)(random, release), release.at))
        .collect()
}

fn released(stem: &str, scheme: &Scheme, ending: &str, at: Timestamp) -> Job {
    let name = format!("{stem}{ending}");
    with(job("a", &["x"], &name, at), |common, _| {
        common.generated_after = scheme
            .has_generate_name
            .then(|| generated_after(&name, &format!("{stem}-")).expect("it was completed"));
    })
}

/// Two to eight releases, three weeks to three months apart.
pub fn releases(random: &mut Random) -> Vec<Release> {
    let mut at = minute(0) + SignedDuration::from_secs(random.below(10_000_000) as i64);
    let mut revision = random.number(1, 150);
    (0..2 + random.below(7))
        .map(|_| {
            at += SignedDuration::from_secs(random.number(21 * 86_400, 90 * 86_400) as i64);
            revision += random.number(1, 4);
            Release { at, revision }
        })
        .collect()
}

fn names(jobs: &[Job]) -> Vec<(&str, String)> {
    let families = families(jobs, None);
    jobs.iter()
        .zip(families)
        .map(|(job, family)| (job.name(), family.name.into_owned()))
        .collect()
}

/// The contract's cases: each name with its family, a month apart.
#[test]
fn cases_from_the_field() {
    const MONTH: i64 = 30 * 24 * 60;
    let all: &[&[(&str, &str)]] = &[
        &[
            (
                "db-migrate-0d9e8f7-presync-1741007200",
                "db-migrate presync",
            ),
            (
                "db-migrate-1a2b3c4-presync-1741003600",
                "db-migrate presync",
            ),
        ],
        &[
            (
                "db-migrate-0d9e8f7-presync-1741007200",
                "db-migrate presync",
            ),
            (
                "db-migrate-1a2b3c4-postsync-1741003600",
                "db-migrate postsync",
            ),
        ],
        &[
            ("run-3f2504e0-4f89-41d3-9a0c-0305e82c3301", "run"),
            ("run-9b2d7c11-0a4e-4c55-8f3e-6a1b2c3d4e5f", "run"),
        ],
        &[("seed-a1e3o", "seed"), ("seed-u0b2i", "seed")],
        &[
            ("mig-1.2.3-alpha.1", "mig"),
            ("mig-1.2.3-alpha.2", "mig"),
            ("mig-1.2.3", "mig"),
        ],
        &[
            ("mig-v2.0.0-4-gabcdef0", "mig"),
            ("mig-v2.0.0-5-g1234567", "mig"),
        ],
        &[
            ("mig-20260131t101500", "mig"),
            ("mig-20260228t101500", "mig"),
        ],
        &[("secrets.1-l3b", "secrets"), ("secrets.2-x9d", "secrets")],
        &[
            ("mig-abcdefa", "mig"),
            ("mig-1234567", "mig"),
            ("mig-7654321", "mig"),
        ],
        &[("schema-12", "schema"), ("schema-13", "schema")],
        &[
            ("backup-mssql", "backup-mssql"),
            ("backup-pgsql", "backup-pgsql"),
        ],
        &[
            ("probe-https", "probe-https"),
            ("probe-grpcs", "probe-grpcs"),
        ],
        &[("step1-1a2b3c", "step1"), ("step2-1a2b3c", "step2")],
    ];
    for case in all {
        let jobs: Vec<Job> = (0..)
            .zip(*case)
            .map(|(month, (name, _))| job("a", &["x"], name, minute(month * MONTH)))
            .collect();
        let want: Vec<(&str, String)> = case
            .iter()
            .map(|(name, family)| (*name, (*family).to_owned()))
            .collect();
        assert_eq!(names(&jobs), want);
    }

    let same_minute: Vec<Job> = (0..5)
        .map(|number| job("a", &["x"], &format!("load-{number}"), minute(0)))
        .collect();
    let each_its_own = ["load-0", "load-1", "load-2", "load-3", "load-4"];
    assert_eq!(
        names(&same_minute),
        each_its_own.map(|name| (name, name.to_owned()))
    );

    let completed: Vec<Job> = (0..)
        .zip([
            "nightly-mssql",
            "nightly-x7k2p",
            "nightly-1",
            "nightly-any.thing-at-all",
        ])
        .map(|(month, name)| {
            with(
                job("a", &["x"], name, minute(month * MONTH)),
                |common, _| {
                    common.generated_after = generated_after(name, "nightly-");
                },
            )
        })
        .collect();
    assert!(
        names(&completed)
            .iter()
            .all(|(_, family)| family == "nightly")
    );
}

/// A wrong merge deletes.
#[test]
fn different_stems_are_never_of_one_family() {
    let mut random = Random::new(1);
    for _ in 0..2_000 {
        let (jobs, stem_of) = several_stems(&mut random);
        let mut stems: BTreeMap<String, &str> = BTreeMap::new();
        for (name, family) in names(&jobs) {
            let stem = stem_of[name];
            let first = *stems.entry(family.clone()).or_insert(stem);
            assert_eq!(first, stem, "{family}: {:?}", names(&jobs));
        }
    }
}

/// Jobs of a few stems by one scheme or by several, released together or not, and the stem of each name.
pub fn several_stems(random: &mut Random) -> (Vec<Job>, BTreeMap<Arc<str>, &'static str>) {
    let (one_scheme, together) = (random.below(2) == 0, random.below(2) == 0);
    let (mut scheme, mut times) = (random.pick(SCHEMES), releases(random));
    let mut stems: Vec<&str> = (0..2 + random.below(5))
        .map(|_| *random.pick(STEMS))
        .collect();
    // Those that begin alike are the most alike.
    if random.below(3) > 0 {
        let first = |stem: &str| stem.split('-').next().map(str::to_owned);
        let beginning = first(stems[0]);
        let mut alike: Vec<&str> = STEMS
            .iter()
            .copied()
            .filter(|stem| first(stem) == beginning)
            .collect();
        while alike.len() > 5 {
            alike.remove(random.below(alike.len()));
        }
        stems = alike;
    }
    stems.sort_unstable();
    stems.dedup();
    let mut jobs: Vec<Job> = Vec::new();
    let mut stem_of = BTreeMap::new();
    for stem in &stems {
        if !one_scheme {
            scheme = random.pick(SCHEMES);
        }
        // Of a word behind another stem, that one's Jobs may prove that it was generated: `schema-facade`.
        let is_behind_another = stems.iter().any(|other| {
            stem.strip_prefix(other)
                .is_some_and(|rest| rest.starts_with('-'))
        });
        if is_behind_another && (scheme.ending)(random, &times[0]).is_empty() {
            continue;
        }
        if !together {
            times = releases(random);
        }
        for job in history(random, scheme, stem, &times) {
            if stem_of.insert(Arc::from(job.name()), *stem).is_none() {
                jobs.push(job);
            }
        }
    }
    (jobs, stem_of)
}

/// Of what is released in numbered parts, each part is a family, whatever stands behind the number.
#[test]
fn numbered_parts_are_never_of_one_family() {
    let mut random = Random::new(2);
    for _ in 0..2_000 {
        let (stem, scheme) = (*random.pick(STEMS), random.pick(SCHEMES));
        let (parts, first) = (2 + random.below(4), random.below(2));
        // Behind a number, it makes a version of it.
        if scheme.name.starts_with("gitlab secrets") {
            continue;
        }
        let shared = random.below(2) == 0;
        let mut jobs: Vec<Job> = Vec::new();
        let mut part_of = BTreeMap::new();
        for release in releases(&mut random) {
            let common = (scheme.ending)(&mut random, &release);
            for part in first..first + parts {
                let ending = if shared {
                    common.clone()
                } else {
                    (scheme.ending)(&mut random, &release)
                };
                let at = release.at + SignedDuration::from_secs(random.below(30) as i64);
                let job = released(&format!("{stem}-{part}"), scheme, &ending, at);
                if part_of.insert(job.name().to_owned(), part).is_none() {
                    jobs.push(job);
                }
            }
        }
        let mut parts: BTreeMap<String, usize> = BTreeMap::new();
        for (name, family) in names(&jobs) {
            let part = part_of[name];
            let first = *parts.entry(family.clone()).or_insert(part);
            assert_eq!(first, part, "{}: {family}: {:?}", scheme.name, names(&jobs));
        }
    }
}

/// What is split for nothing is kept for nothing.
#[test]
fn releases_are_one_family() {
    // A word alone that could have been drawn stays as it is, whatever follows it.
    let plain: Vec<&str> = STEMS
        .iter()
        .filter(|stem| stem.contains('-') && !stem.starts_with('v') && **stem != "sum-sha256")
        .copied()
        .collect();
    let mut random = Random::new(3);
    let mut missed = Vec::new();
    for scheme in SCHEMES {
        let (mut one, mut example) = (0, None);
        for _ in 0..100 {
            let (stem, times) = (*random.pick(&plain), releases(&mut random));
            let jobs = history(&mut random, scheme, stem, &times);
            let names = names(&jobs);
            if names
                .iter()
                .all(|(_, family)| *family == names[0].1 && family.starts_with(stem))
            {
                one += 1;
            } else {
                example.get_or_insert(format!("{names:?}"));
            }
        }
        if one < scheme.of_100 {
            missed.push(format!(
                "{}: {one} of 100, not {}: {example:?}",
                scheme.name, scheme.of_100
            ));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
