//! From a request to a new site: edit, check, compile, write, publish. Everything that can fail comes
//! before the write, and the write comes before the publication; so a change happens or it does not.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::compile::{Compiled, Numbering, Scope};
use bridge_model::site;
use bridge_model::topology::{Difference, Prune, StaticKey, StaticMac, Topology};
use bridge_model::types::{Epoch, Revision};
use fwd::Image;
use proto::failure::Failure;
use proto::v1::ErrorReason;

use super::Control;
use crate::failures;
use crate::ports;
use crate::shared::{FileState, SiteView};
use crate::store::Fingerprint;

/// What a request does to the objects of the site.
#[derive(Debug)]
pub enum Edit {
    /// Lays a document over them.
    Document {
        /// Its objects.
        topology: Box<Topology>,
        /// Its text, which becomes the site file if it describes the whole site.
        text: String,
        /// What happens to objects that it does not name.
        prune: Prune,
    },
    /// Adds or replaces a static MAC.
    AddStatic(StaticMac),
    /// Removes static MACs.
    RemoveStatics(Vec<StaticKey>),
}

/// What became of a change.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The revision of the site now.
    pub revision: Revision,
    /// What changed, or would change.
    pub differences: Vec<Difference>,
    /// What the compiler remarked.
    pub notes: Vec<String>,
    /// Every worker runs the new tables.
    pub programmed: bool,
    /// From the request until then.
    pub elapsed: Duration,
}

/// A site that can be published: nothing is left that could fail.
pub(super) struct Prepared {
    topology: Arc<Topology>,
    revision: Revision,
    numbering: Numbering,
    compiled: Compiled,
    image: Arc<Image>,
}

impl Prepared {
    pub(super) fn notes(&self) -> Vec<String> {
        self.compiled.notes.iter().map(ToString::to_string).collect()
    }
}

impl Edit {
    /// The objects after the edit, and the text of the site file that describes them.
    fn apply(&self, before: &Topology, revision: Revision) -> (Topology, String) {
        match self {
            Self::Document { topology, text, prune } => {
                let after = before.merge(topology, *prune);
                if after == **topology {
                    return (after, text.clone());
                }
                let text = written(&after, revision);
                (after, text)
            }
            Self::AddStatic(entry) => {
                let mut after = before.clone();
                after.static_macs.insert(entry.key.clone(), entry.clone());
                let text = written(&after, revision);
                (after, text)
            }
            Self::RemoveStatics(keys) => {
                let mut after = before.clone();
                after.static_macs.retain(|key, _| !keys.contains(key));
                let text = written(&after, revision);
                (after, text)
            }
        }
    }
}

/// A site file that no person has written.
fn written(topology: &Topology, revision: Revision) -> String {
    format!(
        "# Written by sluiced as revision {revision}. Comments do not survive the next change by API.\n{}",
        site::to_yaml(topology)
    )
}

impl Control {
    /// Makes `edit`, or says what it would do.
    pub(super) fn change(&mut self, edit: &Edit, validate_only: bool) -> Result<Changed, Failure> {
        let site = self.shared.site();
        let next = Revision(site.revision.0 + 1);
        let (topology, text) = edit.apply(&site.topology, next);
        topology.check().map_err(|errors| failures::topology(&errors))?;
        let differences = site.topology.diff(&topology);
        if differences.is_empty() {
            return Ok(self.unchanged(&site));
        }
        let prepared = self.prepare(&Arc::new(topology), next, self.numbering.clone())?;
        let notes = prepared.notes();
        if validate_only {
            let revision = site.revision;
            return Ok(Changed {
                revision,
                differences,
                notes,
                programmed: false,
                elapsed: Duration::ZERO,
            });
        }
        self.refuse_to_overwrite_an_edit(edit)?;
        let fingerprint = self.store.write(next, &text).map_err(|error| failures::write(&error))?;
        self.loaded(fingerprint);
        self.publish(prepared);
        tracing::info!(revision = next.0, objects = differences.len(), "site changed by request");
        Ok(Changed {
            revision: next,
            differences,
            notes,
            programmed: false,
            elapsed: Duration::ZERO,
        })
    }

    /// Reads the site file again.
    pub(super) fn reload(&mut self, validate_only: bool) -> Result<Changed, Failure> {
        let text = self.store.read().map_err(|error| failures::read(&error))?;
        let name = self.store.path().display().to_string();
        let topology = site::parse(&name, &text).map_err(|errors| failures::site(&errors))?;
        let site = self.shared.site();
        let fingerprint = Fingerprint::of(&text);
        let differences = site.topology.diff(&topology);
        if differences.is_empty() {
            if !validate_only {
                self.note(site.revision, fingerprint);
            }
            return Ok(self.unchanged(&site));
        }
        let next = Revision(site.revision.0 + 1);
        let prepared = self.prepare(&Arc::new(topology), next, self.numbering.clone())?;
        let notes = prepared.notes();
        let revision = if validate_only {
            site.revision
        } else {
            self.note(next, fingerprint);
            self.publish(prepared);
            tracing::info!(revision = next.0, objects = differences.len(), "site file loaded");
            next
        };
        Ok(Changed { revision, differences, notes, programmed: false, elapsed: Duration::ZERO })
    }

    fn unchanged(&self, site: &SiteView) -> Changed {
        Changed {
            revision: site.revision,
            differences: Vec::new(),
            notes: site.notes.iter().map(ToString::to_string).collect(),
            programmed: self.publisher.is_quiescent(),
            elapsed: Duration::ZERO,
        }
    }

    /// Forgets what was learned in `scopes`: one image for all of them. Statics stay.
    pub(super) fn flush(&mut self, scopes: &[Scope]) -> Result<(), Failure> {
        let site = self.shared.site();
        let mut numbering = self.numbering.clone();
        let retired = scopes.iter().map(|scope| numbering.retire(&site.topology, scope).len());
        if retired.sum::<usize>() == 0 {
            return Ok(());
        }
        let prepared = self.prepare(&site.topology, site.revision, numbering)?;
        self.publish(prepared);
        Ok(())
    }

    /// Publishes the same site again, because the host or the MAC table has changed. What was learned
    /// in `void` is forgotten.
    pub(super) fn republish(&mut self, void: &[Scope]) {
        let site = self.shared.site();
        let mut numbering = self.numbering.clone();
        for scope in void {
            numbering.retire(&site.topology, scope);
        }
        match self.prepare(&site.topology, site.revision, numbering) {
            Ok(prepared) => self.publish(prepared),
            Err(error) => tracing::error!(%error, "cannot compile the site again"),
        }
    }

    /// Compiles. Nothing that a worker or a reader sees has changed afterwards.
    pub(super) fn prepare(
        &mut self,
        topology: &Arc<Topology>,
        revision: Revision,
        mut numbering: Numbering,
    ) -> Result<Prepared, Failure> {
        let compiled =
            bridge_model::compile::compile(topology, &self.view, &mut numbering, revision)
                .map_err(|error| failures::compile(&error))?;
        let epoch = Epoch(self.publisher.published().0 + 1);
        let learning = self.shared.learning.lock();
        let parts = learning.learner.image_parts(epoch, &mut self.slots, self.ticks_per_second);
        drop(learning);
        let image =
            Image::build(&compiled.tables, parts).map_err(|error| failures::image(&error))?;
        let topology = Arc::clone(topology);
        Ok(Prepared { topology, revision, numbering, compiled, image: Arc::new(image) })
    }

    pub(super) fn publish(&mut self, prepared: Prepared) {
        let Prepared { topology, revision, numbering, compiled, image } = prepared;
        let now = self.shared.now();
        self.numbering = numbering;
        let mut learning = self.shared.learning.lock();
        for released in learning.released.drain(..) {
            self.numbering.release(&released.members, &released.fids);
        }
        let refused = learning.learner.install(&image, &compiled.static_macs, now);
        self.publisher.publish(&image);
        let (members, fids) = (self.numbering.retired(), self.numbering.retired_fids());
        learning.learner.retire(members.clone(), fids);
        drop(learning);
        self.tell_protocols(&compiled.tables, &members);
        self.forget_peers(&compiled.tables.underlay);
        for ((fid, _, mac), refusal) in refused {
            let bridge = self.numbering.domain_of(fid).map(|(domain, _)| domain.owner().clone());
            tracing::error!(?bridge, %mac, %refusal, "static MAC has no place in the table");
        }
        let ports = ports::local(&topology, &self.view, &compiled.tables, |id| {
            self.shared.interfaces.get(id.index()).is_none_or(|interface| !interface.is_present())
        });
        self.quiesced = false;
        self.revisions.insert(image.epoch(), revision);
        self.shared.set_site(Arc::new(SiteView {
            topology,
            revision,
            epoch: image.epoch(),
            view: self.view.clone(),
            tables: compiled.tables,
            numbering: self.numbering.clone(),
            slots: self.slots.clone(),
            ports,
            notes: compiled.notes,
            published: now,
        }));
    }

    /// The site file holds something that nobody has loaded: writing it would lose an edit. A whole
    /// site may replace a file that was refused: that is how such a file is mended.
    fn refuse_to_overwrite_an_edit(&self, edit: &Edit) -> Result<(), Failure> {
        let is_whole = matches!(edit, Edit::Document { prune: Prune::Remove, .. });
        if is_whole && matches!(self.shared.observed.lock().file, FileState::Refused(_)) {
            return Ok(());
        }
        let on_disk = match self.store.read() {
            Ok(text) => Some(Fingerprint::of(&text)),
            Err(crate::store::ReadError::Missing { .. }) => return Ok(()),
            Err(_) => None,
        };
        if on_disk == self.fingerprint {
            return Ok(());
        }
        let message = format!(
            "{} was edited and not loaded: load it first (systemctl reload sluiced), so that the edit is not lost",
            self.store.path().display()
        );
        Err(Failure::new(ErrorReason::SiteFileChanged, message))
    }

    /// The site file is what runs.
    pub(super) fn loaded(&mut self, fingerprint: Fingerprint) {
        self.fingerprint = Some(fingerprint);
        self.file_stamp = self.store.stamp();
        let mut observed = self.shared.observed.lock();
        observed.file = FileState::InForce;
        observed.state_error = None;
    }

    /// The site file is what runs, under this revision. That the number cannot be noted is shown, and
    /// is no reason to refuse the operator's file.
    fn note(&mut self, revision: Revision, fingerprint: Fingerprint) {
        let noted = self.store.note(revision, fingerprint);
        self.loaded(fingerprint);
        if let Err(error) = noted {
            self.shared.observed.lock().state_error = Some(error.to_string());
        }
    }
}
