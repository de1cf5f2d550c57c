//! The runs that are measured, and the one that fails.

use crate::args::Options;
use crate::block::{BLOCK, Block, Input, Output};
use crate::crew::{self, Failure};
use crate::files::{self, Destination};
use crate::measure::{Taken, in_turns};
use crate::verify::{self, Same, Verdict};
use crate::{others, tools};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;
use tempfile::NamedTempFile;

/// What is run: `crew` leaves its output in `to`, and those by others go nowhere.
pub(crate) struct Runs<'a> {
    pub(crate) options: &'a Options,
    pub(crate) input: &'a Path,
    pub(crate) size: u64,
    pub(crate) to: &'a Destination,
}

/// Who ran, and what it took; `None` if it is not installed.
pub(crate) type Row = (String, Option<Taken>);

impl Runs<'_> {
    /// The crew, one thread, and then the others, if they are wanted.
    pub(crate) fn measure(&self) -> Result<Vec<Row>, String> {
        let (workers, level, compare) =
            (self.options.crew.members(), self.options.level, self.options.compare);
        let pigz = compare && tools::is_here("pigz");
        let arguments = ["-p".to_owned(), workers.to_string(), format!("-{level}"), "-c".to_owned()];
        let [crew, alone, buffered, by_pigz] = in_turns(|who| match who {
            0 => Taken::closure(|| self.crew()),
            1 => Taken::closure(|| self.same("one thread", |from, to| others::alone(from, to, self.pack()))),
            2 if compare => Taken::closure(|| {
                self.same("buffered", |from, to| others::buffered(workers, from, to, self.pack()))
            }),
            3 if pigz => self.tool(Command::new("pigz").args(&arguments)),
            _ => Ok(Taken::default()),
        })?;
        let mut rows = vec![(self.options.crew.to_string(), Some(crew)), ("one thread".into(), Some(alone))];
        if compare {
            rows.push((format!("spawn + buffered({workers})"), Some(buffered)));
            rows.push((format!("pigz -p {workers}"), pigz.then_some(by_pigz)));
            // It takes several times as long as all others, and knows no level 0.
            let level = level.max(1);
            let gzip = tools::is_here("gzip");
            let gzip = gzip.then(|| self.tool(Command::new("gzip").args([&format!("-{level}"), "-c"])));
            rows.push((format!("gzip -{level}, one run"), gzip.transpose()?));
        }
        Ok(rows)
    }

    fn pack(&self) -> impl Fn(&mut Block) -> io::Result<()> + Clone + Send + Sync + 'static {
        let level = self.options.level;
        move |block| block.pack(level)
    }

    fn source(&self) -> Result<Input<File>, String> {
        Ok(Input::new(files::open(self.input)?))
    }

    fn crew(&self) -> Result<(), String> {
        let progress = self.progress("crew");
        let output = Output::new(self.to.writer()?, self.options.level, progress.clone());
        let result = crew::run(self.options.crew, self.source()?, output, self.pack());
        progress.finish_and_clear();
        result.map(drop).map_err(|failure| format!("{}: {failure}; no output was made", self.input.display()))
    }

    /// The bytes of `run` go nowhere: they are compared with the crew's as they come.
    fn same(
        &self,
        who: &'static str,
        run: impl FnOnce(Input<File>, Output<Same<File>>) -> Result<Same<File>, Failure>,
    ) -> Result<(), String> {
        let progress = self.progress(who);
        let output = Output::new(Same::new(self.to.reader()?), self.options.level, progress.clone());
        let result = run(self.source()?, output);
        progress.finish_and_clear();
        let same = result.map_err(|failure| format!("{who}: {failure}; no output was made"))?;
        same.finish().map_err(|why| format!("{who}: {why}; no output was made"))
    }

    fn tool(&self, command: &mut Command) -> Result<Taken, String> {
        Taken::program(command.stdin(files::open(self.input)?), &[0])
    }

    /// A progress bar on a terminal; nothing if standard error is something else.
    fn progress(&self, who: &'static str) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{msg:>10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
                .expect("the template is well formed");
        ProgressBar::new(self.size).with_style(style).with_message(who)
    }

    /// Lets a block fail, and checks that the blocks before it are written and nothing else.
    pub(crate) fn fault(&self, block: u64) -> Result<Verdict, String> {
        let pack = self.pack();
        let faulty = move |packed: &mut Block| match packed.number {
            number if number == block => Err(io::Error::other("a fault on purpose")),
            _ => pack(packed),
        };
        let (crew, workers) = (self.options.crew, self.options.crew.members());
        let run = |from, to| crew::run(crew, from, to, faulty.clone());
        let (file, Some(failure)) = self.failing(run)? else {
            println!("no fault: the input has no block {block}");
            return Ok(Verdict::Verified);
        };
        println!("fault: {failure}");
        let verdict = verify::prefix(file.path(), block * BLOCK as u64, self.input, self.to)?;
        if self.options.compare {
            let (theirs, _) = self.failing(|from, to| others::buffered(workers, from, to, faulty.clone()))?;
            let [ours, theirs] = [&file, &theirs].map(|file| fs::read(file.path()));
            let same = matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs);
            println!(
                "spawn + buffered with the same fault: {} bytes",
                if same { "the same" } else { "other" }
            );
        }
        Ok(verdict)
    }

    /// What was written until it failed, and why it did.
    fn failing(
        &self,
        run: impl FnOnce(Input<File>, Output<File>) -> Result<File, Failure>,
    ) -> Result<(NamedTempFile, Option<Failure>), String> {
        let cannot = |why| format!("cannot make a temporary file: {why}");
        let file = NamedTempFile::new().map_err(cannot)?;
        let output = Output::new(file.reopen().map_err(cannot)?, self.options.level, ProgressBar::hidden());
        let failure = run(self.source()?, output).err();
        Ok((file, failure))
    }
}
