package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
)

// Report counts what Verify checked.
type Report struct {
	Model     string          `json:"model"`
	Records   int             `json:"records"`
	Versions  int             `json:"versions"`  // manifests, each named by a record
	Champion  int             `json:"champion"`  // version; 0: none yet
	Documents int             `json:"documents"` // subjects that are documents
	Blobs     int             `json:"blobs"`     // distinct blobs read and compared with their digest
	Bytes     int64           `json:"bytes"`     // in these blobs
	Signers   []string        `json:"signers"`   // ids of the trusted keys that signed, in order of appearance
	Head      artifact.Digest `json:"head"`      // digest of the last record; kept elsewhere, it shows a cut-off end
}

// Verify checks a model's whole record against a set of trusted keys, with nothing but the store:
//
//   - every record is byte for byte what was signed, by a trusted key, in unbroken sequence, and holds the digest of
//     the record before it;
//   - every subject of every record is in the store and has the digest recorded;
//   - every version's manifest is the subject of a record, and its decisions were taken on its dossier;
//   - every blob that a subject or a manifest refers to, directly or through other JSON artifacts, has its digest;
//   - the champion is the version that the last record of a promotion is about.
//
// The error is the first break found, records before manifests before the champion. It names the record, document or
// blob, what was expected and what was found. The report then counts what was good before it. A model without records
// and versions gives artifact.ErrNotFound.
func Verify(ctx context.Context, s artifact.Store, trust []ed25519.PublicKey, model string) (Report, error) {
	c := checker{store: s, model: model, report: Report{Model: model}, seen: map[artifact.Digest]int64{}, recorded: map[artifact.Digest]bool{}}
	if err := c.run(ctx, trust); err != nil {
		return c.report, fmt.Errorf("verify model %q: %w", model, err)
	}
	return c.report, nil
}

// checker is one verification in progress.
type checker struct {
	store    artifact.Store
	model    string
	report   Report
	seen     map[artifact.Digest]int64 // verified blobs and their sizes
	recorded map[artifact.Digest]bool  // digests of all subjects
	promoted []Subject                 // subjects of the last record of a promotion
}

func (c *checker) run(ctx context.Context, trust []ed25519.PublicKey) error {
	if err := registry.CheckName(c.model); err != nil {
		return err
	}
	verifiers, err := trustedVerifiers(trust)
	if err != nil {
		return err
	}
	if err := c.records(ctx, verifiers); err != nil {
		return err
	}
	if err := c.versions(ctx); err != nil {
		return err
	}
	return c.champion(ctx)
}

func trustedVerifiers(trust []ed25519.PublicKey) ([]dsse.Verifier, error) {
	if len(trust) == 0 {
		return nil, fmt.Errorf("no trusted key was given; expected at least one, such as the file %s in the key folder", PublicKeyFile)
	}
	var verifiers []dsse.Verifier
	for _, public := range trust {
		id, err := KeyID(public)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, verifier{public, id})
	}
	return verifiers, nil
}

func (c *checker) records(ctx context.Context, trust []dsse.Verifier) error {
	count, err := countRecords(ctx, c.store, c.model)
	if err != nil {
		return err
	}
	var before []record
	for n := 1; n <= count; n++ {
		r, err := readRecord(ctx, c.store, c.model, n)
		if err != nil {
			return err
		}
		if err := c.record(ctx, r, before, trust); err != nil {
			return fmt.Errorf("chain record %q: %w", RecordName(c.model, n), err)
		}
		before = append(before, r)
		c.report.Records, c.report.Head = n, r.Digest
	}
	return nil
}

func (c *checker) record(ctx context.Context, r record, before []record, trust []dsse.Verifier) error {
	if err := c.signature(ctx, r, trust); err != nil {
		return err
	}
	if err := r.follows(before); err != nil {
		return err
	}
	for _, subject := range r.Event.Subjects {
		if err := c.subject(ctx, subject); err != nil {
			return err
		}
	}
	if r.Event.Type == stage.EventPromoted {
		c.promoted = r.Event.Subjects
	}
	return nil
}

func (c *checker) signature(ctx context.Context, r record, trust []dsse.Verifier) error {
	envelopes, err := dsse.NewEnvelopeVerifier(trust...)
	if err != nil {
		return err
	}
	accepted, err := envelopes.Verify(ctx, &r.envelope)
	found := r.envelope.Signatures[0].KeyID
	if err == nil && accepted[0].KeyID != found {
		err = errors.New("the signature is by another key than it says")
	}
	if err != nil {
		return fmt.Errorf("signature: expected one by a trusted key (%s) that matches the content, found one by key %q that does not: %w", keyIDs(trust), found, err)
	}
	if !slices.Contains(c.report.Signers, found) {
		c.report.Signers = append(c.report.Signers, found)
	}
	return nil
}

func keyIDs(trust []dsse.Verifier) string {
	ids := make([]string, len(trust))
	for i, v := range trust {
		ids[i] = v.(verifier).id
	}
	return strings.Join(ids, ", ")
}

func (c *checker) subject(ctx context.Context, subject Subject) error {
	c.recorded[subject.Digest] = true
	if subject.isDocument() {
		if err := checkDocument(ctx, c.store, subject); err != nil {
			return err
		}
		c.report.Documents++
		return nil
	}
	return c.blobs(ctx, reference{artifact.Ref{Digest: subject.Digest, Size: artifact.SizeUnknown}, "subject " + subject.Name})
}

func checkDocument(ctx context.Context, s artifact.Store, subject Subject) error {
	data, _, err := s.Get(ctx, subject.Name)
	if err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	if found := artifact.Sum(data); found != subject.Digest {
		return fmt.Errorf("subject, document %q in store %q: %w: expected %s, found %s", subject.Name, s, artifact.ErrCorrupt, subject.Digest, found)
	}
	return nil
}

func (c *checker) versions(ctx context.Context) error {
	manifests, err := registry.Versions(ctx, c.store, c.model)
	if errors.Is(err, artifact.ErrNotFound) && c.report.Records > 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for _, m := range manifests {
		if err := c.manifest(ctx, m); err != nil {
			return fmt.Errorf("manifest %q: %w", registry.VersionName(c.model, m.Version), err)
		}
		c.report.Versions++
	}
	return nil
}

func (c *checker) manifest(ctx context.Context, m registry.Manifest) error {
	data, _, err := c.store.Get(ctx, registry.VersionName(c.model, m.Version))
	if err != nil {
		return err
	}
	if d := artifact.Sum(data); !c.recorded[d] {
		return fmt.Errorf("expected a chain record with the subject %s, found none in %d records", d, c.report.Records)
	}
	if err := m.CheckDecisions(); err != nil {
		return err
	}
	refs, err := refsIn(data, "")
	if err != nil {
		return err
	}
	return c.blobs(ctx, refs...)
}

func (c *checker) champion(ctx context.Context) error {
	champion, err := registry.GetChampion(ctx, c.store, c.model)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if champion.Version > c.report.Versions {
		return fmt.Errorf("the champion is version %d; expected one of the %d registered versions", champion.Version, c.report.Versions)
	}
	name := registry.VersionName(c.model, champion.Version)
	if !slices.ContainsFunc(c.promoted, func(s Subject) bool { return s.Name == name }) {
		return fmt.Errorf("the champion is version %d; expected the last record of type %q to have the subject %q, found %s", champion.Version, stage.EventPromoted, name, subjectNames(c.promoted))
	}
	c.report.Champion = champion.Version
	return nil
}

func subjectNames(subjects []Subject) string {
	if len(subjects) == 0 {
		return "none"
	}
	names := make([]string, len(subjects))
	for i, s := range subjects {
		names[i] = strconv.Quote(s.Name)
	}
	return strings.Join(names, ", ")
}
