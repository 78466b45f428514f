//! Configuration: the file, under the environment, under flags; then resolved, once, into what the
//! roles need. The command line's own types are the file's sections, so a key exists once.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use clap::CommandFactory;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cli::{Cli, ClusterArgs, ExecutorArgs, LogArgs, PlaneArgs, Role, SchedulerArgs, ServeArgs, WorkerArgs};
use crate::error::{Error, Result};
use crate::limits;

/// The configuration file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub log: LogArgs,
    /// `serve`, and what `scheduler` and `cluster` share with it.
    pub serve: ServeArgs,
    pub scheduler: PlaneArgs,
    pub executor: ExecutorArgs,
    pub cluster: WorkerArgs,
    /// Spark configuration every session starts from.
    pub conf: BTreeMap<String, Scalar>,
}

/// A Spark configuration value: written as any scalar, kept as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Float(f64),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Scalar::Text(v) => v.clone(),
            Scalar::Integer(v) => v.to_string(),
            Scalar::Boolean(v) => v.to_string(),
            Scalar::Float(v) => v.to_string(),
        }
    }
}

/// What a serving process runs with.
#[derive(Debug, Clone)]
pub struct Serve {
    pub listen: String,
    pub memory: u64,
    pub threads: usize,
    pub data_dir: Option<PathBuf>,
    pub conf: Vec<(String, String)>,
    pub health_listen: Option<String>,
    pub drain_timeout: Duration,
}

/// Where a scheduler takes registrations.
#[derive(Debug, Clone)]
pub struct Plane {
    pub listen: String,
    pub advertise_host: String,
}

/// What an executor runs with.
#[derive(Debug, Clone)]
pub struct Executor {
    pub scheduler: String,
    pub vcores: usize,
    pub memory: u64,
    pub work_dir: Option<PathBuf>,
    pub advertise_host: String,
    pub bind_host: String,
    pub flight_port: u16,
    pub task_port: u16,
    pub health_listen: Option<String>,
    pub drain_timeout: Duration,
    pub follow_parent: bool,
}

/// The processes of a development cluster.
#[derive(Debug, Clone)]
pub struct Workers {
    pub executors: usize,
    pub vcores: usize,
    pub work_dir: Option<PathBuf>,
}

/// A role with everything it needs.
#[derive(Debug, Clone)]
pub enum Resolved {
    Serve(Serve),
    Scheduler(Serve, Plane),
    Executor(Executor),
    Cluster(Serve, Plane, Workers),
}

/// Reads the file, if one is named; an unknown key is an error that names it.
pub fn read(path: Option<&Path>) -> Result<File> {
    let Some(path) = path else { return Ok(File::default()) };
    let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    toml::from_str(&text).map_err(|e| Error::usage(format!("{}: {e}", path.display())))
}

/// Refuses `FIRESTEEL_*` variables that mean nothing: a misspelt one would be ignored silently.
pub fn check_environment() -> Result<()> {
    let mut known = HashSet::new();
    collect_variables(&Cli::command(), &mut known);
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str().filter(|n| n.starts_with("FIRESTEEL_")) else { continue };
        if !known.contains(name) && !is_service_link(name) {
            return Err(Error::usage(format!("the environment variable {name} is no setting of firesteel")));
        }
    }
    Ok(())
}

fn collect_variables(command: &clap::Command, known: &mut HashSet<String>) {
    let names = command.get_arguments().filter_map(|a| a.get_env()?.to_str().map(str::to_owned));
    known.extend(names);
    for sub in command.get_subcommands() {
        collect_variables(sub, known);
    }
}

/// Kubernetes announces every Service to every pod in such variables; a Service called `firesteel…`
/// must not stop its own pods from starting.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}

/// Puts what was given on the command line or in the environment over what the file says.
fn overlay<T: Serialize + DeserializeOwned>(given: &T, file: &T) -> Result<T> {
    let table = |v: &T| toml::Table::try_from(v).map_err(|e| Error::usage(e.to_string()));
    let mut merged = table(file)?;
    merged.extend(table(given)?);
    merged.try_into().map_err(|e| Error::usage(e.to_string()))
}

impl File {
    /// The file with the flags of `role` laid over it and every default filled in.
    pub fn complete(mut self, log: &LogArgs, role: &Role) -> Result<File> {
        self.log = overlay(log, &self.log)?;
        match role {
            Role::Serve(args) => self.lay_serve(args)?,
            Role::Scheduler(SchedulerArgs { serve, plane }) => {
                self.lay_serve(serve)?;
                self.lay_plane(plane)?;
            }
            Role::Executor(args) => self.lay_executor(args)?,
            Role::Cluster(ClusterArgs { serve, plane, workers }) => {
                self.lay_serve(serve)?;
                self.lay_plane(plane)?;
                self.lay_workers(workers)?;
            }
        }
        Ok(self)
    }

    fn lay_serve(&mut self, args: &ServeArgs) -> Result<()> {
        let mut all = overlay(args, &self.serve)?;
        all.listen.get_or_insert_with(|| "127.0.0.1:15002".to_owned());
        all.memory.get_or_insert_with(default_memory);
        all.threads.get_or_insert_with(limits::available_threads);
        all.drain_timeout.get_or_insert(30);
        self.serve = all;
        let given = args.conf.iter().map(|(k, v)| (k.clone(), Scalar::Text(v.clone())));
        self.conf.extend(given);
        Ok(())
    }

    fn lay_plane(&mut self, args: &PlaneArgs) -> Result<()> {
        let mut all = overlay(args, &self.scheduler)?;
        let listen = all.cluster_listen.get_or_insert_with(|| "127.0.0.1:15050".to_owned());
        let host = listen.rsplit_once(':').map_or(listen.as_str(), |(host, _)| host).to_owned();
        all.advertise_host.get_or_insert(host);
        self.scheduler = all;
        Ok(())
    }

    fn lay_executor(&mut self, args: &ExecutorArgs) -> Result<()> {
        let mut all = overlay(args, &self.executor)?;
        all.scheduler.get_or_insert_with(|| "127.0.0.1:15050".to_owned());
        all.vcores.get_or_insert_with(limits::available_threads);
        all.memory.get_or_insert_with(default_memory);
        all.advertise_host.get_or_insert_with(|| "127.0.0.1".to_owned());
        all.bind_host.get_or_insert_with(|| "127.0.0.1".to_owned());
        all.flight_port.get_or_insert(0);
        all.task_port.get_or_insert(0);
        all.drain_timeout.get_or_insert(30);
        all.follow_parent = args.follow_parent;
        self.executor = all;
        Ok(())
    }

    fn lay_workers(&mut self, args: &WorkerArgs) -> Result<()> {
        let mut all = overlay(args, &self.cluster)?;
        let executors = *all.executors.get_or_insert(3);
        all.vcores.get_or_insert_with(|| (limits::available_threads() / executors).max(1));
        self.cluster = all;
        Ok(())
    }

    /// Turns a complete file into what `role` runs with.
    pub fn resolve(&self, role: &Role) -> Result<Resolved> {
        Ok(match role {
            Role::Serve(_) => Resolved::Serve(self.serve()?),
            Role::Scheduler(_) => Resolved::Scheduler(self.serve()?, self.plane()?),
            Role::Executor(_) => Resolved::Executor(self.executor()?),
            Role::Cluster(_) => Resolved::Cluster(self.serve()?, self.plane()?, self.workers()?),
        })
    }

    fn serve(&self) -> Result<Serve> {
        let args = &self.serve;
        Ok(Serve {
            listen: present("serve.listen", &args.listen)?,
            memory: size("serve.memory", &args.memory)?,
            threads: positive("serve.threads", args.threads)?,
            data_dir: args.data_dir.clone(),
            conf: self.conf.iter().map(|(k, v)| (k.clone(), v.text())).collect(),
            health_listen: args.health_listen.clone(),
            drain_timeout: Duration::from_secs(present("serve.drain-timeout", &args.drain_timeout)?),
        })
    }

    fn plane(&self) -> Result<Plane> {
        Ok(Plane {
            listen: present("scheduler.cluster-listen", &self.scheduler.cluster_listen)?,
            advertise_host: present("scheduler.advertise-host", &self.scheduler.advertise_host)?,
        })
    }

    fn executor(&self) -> Result<Executor> {
        let args = &self.executor;
        Ok(Executor {
            scheduler: present("executor.scheduler", &args.scheduler)?,
            vcores: positive("executor.vcores", args.vcores)?,
            memory: size("executor.memory", &args.memory)?,
            work_dir: args.work_dir.clone(),
            advertise_host: present("executor.advertise-host", &args.advertise_host)?,
            bind_host: present("executor.bind-host", &args.bind_host)?,
            flight_port: present("executor.flight-port", &args.flight_port)?,
            task_port: present("executor.task-port", &args.task_port)?,
            health_listen: args.health_listen.clone(),
            drain_timeout: Duration::from_secs(present("executor.drain-timeout", &args.drain_timeout)?),
            follow_parent: args.follow_parent,
        })
    }

    fn workers(&self) -> Result<Workers> {
        Ok(Workers {
            executors: positive("cluster.executors", self.cluster.executors)?,
            vcores: positive("cluster.vcores", self.cluster.vcores)?,
            work_dir: self.cluster.work_dir.clone(),
        })
    }

    /// The sections `role` reads, as a configuration file.
    pub fn print(&self, role: &Role) -> Result<String> {
        let all = toml::Table::try_from(self).map_err(|e| Error::usage(e.to_string()))?;
        let sections: &[&str] = match role {
            Role::Serve(_) => &["log", "serve", "conf"],
            Role::Scheduler(_) => &["log", "serve", "scheduler", "conf"],
            Role::Executor(_) => &["log", "executor"],
            Role::Cluster(_) => &["log", "serve", "scheduler", "cluster", "conf"],
        };
        let kept: toml::Table = all.into_iter().filter(|(k, _)| sections.contains(&k.as_str())).collect();
        toml::to_string_pretty(&kept).map_err(|e| Error::usage(e.to_string()))
    }
}

/// Leaves a third for what the memory pool does not count: batches in flight, caches, the allocator.
fn default_memory() -> String {
    format!("{}m", (limits::available_memory() * 7 / 10) >> 20)
}

fn present<T: Clone>(key: &str, value: &Option<T>) -> Result<T> {
    value.clone().ok_or_else(|| Error::usage(format!("{key} is not set")))
}

fn positive(key: &str, value: Option<usize>) -> Result<usize> {
    value.filter(|n| *n > 0).ok_or_else(|| Error::usage(format!("{key} must be above zero")))
}

fn size(key: &str, value: &Option<String>) -> Result<u64> {
    limits::parse_size(&present(key, value)?).map_err(|e| Error::usage(format!("{key}: {e}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Command;

    fn resolve(file: &str, command: &str) -> Result<Resolved> {
        let cli = Cli::try_parse_from(command.split(' ')).map_err(|e| Error::usage(e.to_string()))?;
        let Command::Role(role) = cli.command else { return Err(Error::usage("no role")) };
        let file: File = toml::from_str(file).map_err(|e| Error::usage(e.to_string()))?;
        file.complete(&cli.log, &role)?.resolve(&role)
    }

    #[test]
    fn flags_override_the_file_which_overrides_defaults() {
        let file = "[serve]\nlisten = '0.0.0.0:1'\nmemory = '1g'\n[conf]\n'a.b' = 1\n'c' = 'x'";
        let command = "firesteel serve --memory 2g --conf c=y --conf d=e=f";
        let Ok(Resolved::Serve(serve)) = resolve(file, command) else { panic!("serve resolves") };
        assert_eq!(serve.listen, "0.0.0.0:1");
        assert_eq!(serve.memory, 2 << 30);
        assert_eq!(serve.drain_timeout, Duration::from_secs(30));
        let conf: Vec<_> = serve.conf.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(conf, ["a.b=1", "c=y", "d=e=f"]);
    }

    #[test]
    fn wrong_settings_are_refused() {
        let check = |file: &str, command: &str, part: &str| {
            let error = resolve(file, command).expect_err(command).to_string();
            assert!(error.contains(part), "{error}");
        };
        check("[serve]\nlissten = 'x:1'", "firesteel serve", "lissten");
        check("[surve]\nlisten = 'x:1'", "firesteel serve", "surve");
        check("[serve]\nthreads = 0", "firesteel serve", "serve.threads");
        check("[executor]\nmemory = 'big'", "firesteel executor", "executor.memory");
        check("", "firesteel serve --listen 15002", "HOST:PORT");
        check("", "firesteel cluster --executors 0", "above zero");
    }

    #[test]
    fn printed_configuration_reads_back_the_same() {
        let cli = Cli::parse_from(["firesteel", "cluster", "--executors", "2", "--conf", "a=b"]);
        let Command::Role(role) = cli.command else { panic!("a role") };
        let file = File::default().complete(&cli.log, &role).expect("completes");
        let printed = file.print(&role).expect("prints");
        let again: File = toml::from_str(&printed).expect("is a configuration file");
        assert_eq!(again.complete(&LogArgs::default(), &role).expect("completes").print(&role).ok(), Some(printed));
    }

    #[test]
    fn service_links_are_no_settings() {
        assert!(is_service_link("FIRESTEEL_SCHEDULER_SERVICE_HOST"));
        assert!(is_service_link("FIRESTEEL_PORT_15002_TCP_ADDR"));
        assert!(!is_service_link("FIRESTEEL_LISTEM"));
    }
}
