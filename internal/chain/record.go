package chain

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/assay-ml/assay/internal/artifact"
)

// What a record declares itself to be. Verifiers refuse anything else.
const (
	PayloadType   = "application/vnd.in-toto+json"
	PredicateType = "https://assay-ml.dev/chain/v1"
)

// record is an entry with the envelope that carries it.
type record struct {
	Entry
	envelope dsse.Envelope
	bytes    []byte // as stored
}

// statement is an in-toto Statement v1. The generated types of in-toto are not used for writing, because the
// JSON form of protocol buffers is not stable to the byte.
type statement struct {
	Type          string       `json:"_type"`
	Subject       []descriptor `json:"subject"`
	PredicateType string       `json:"predicateType"`
	Predicate     predicate    `json:"predicate"`
}

// descriptor is an in-toto ResourceDescriptor with a name and one digest.
type descriptor struct {
	Name   string `json:"name"`
	Digest struct {
		SHA256 string `json:"sha256"`
	} `json:"digest"`
}

type predicate struct {
	Sequence int             `json:"sequence"`
	Previous artifact.Digest `json:"previous"` // "" for the first
	Event    Event           `json:"event"`
}

func newRecord(ctx context.Context, signer dsse.Signer, before []record, e Event) (record, error) {
	p := predicate{Sequence: len(before) + 1, Previous: lastDigest(before), Event: e}
	payload, err := encodeStatement(p)
	if err != nil {
		return record{}, err
	}
	envelopes, err := dsse.NewEnvelopeSigner(signer)
	if err != nil {
		return record{}, fmt.Errorf("sign: %w", err)
	}
	envelope, err := envelopes.SignPayload(ctx, PayloadType, payload)
	if err != nil {
		return record{}, fmt.Errorf("sign: %w", err)
	}
	data, err := artifact.EncodeJSON(envelope)
	if err != nil {
		return record{}, err
	}
	return parseRecord(data)
}

func lastDigest(records []record) artifact.Digest {
	if len(records) == 0 {
		return artifact.Digest{}
	}
	return records[len(records)-1].Digest
}

// encodeStatement wraps a predicate. in-toto requires a subject; an event without any is itself the subject.
func encodeStatement(p predicate) ([]byte, error) {
	st := statement{Type: intoto.StatementTypeUri, PredicateType: PredicateType, Predicate: p}
	for _, s := range p.Event.Subjects {
		st.Subject = append(st.Subject, describe(s))
	}
	if len(st.Subject) == 0 {
		event, err := artifact.EncodeJSON(p.Event)
		if err != nil {
			return nil, err
		}
		st.Subject = []descriptor{describe(Subject{Name: "event", Digest: artifact.Sum(event)})}
	}
	return artifact.EncodeJSON(st)
}

func describe(s Subject) descriptor {
	d := descriptor{Name: s.Name}
	d.Digest.SHA256 = s.Digest.Hex()
	return d
}

// parseRecord reads the bytes of a record. They must be exactly what this package writes for the same content: JSON and
// base64 have several spellings of one content, and no later record vouches for the bytes of the last one.
func parseRecord(data []byte) (record, error) {
	r := record{bytes: data}
	if err := decodeStrict(data, &r.envelope); err != nil {
		return record{}, fmt.Errorf("expected a DSSE envelope: %w", err)
	}
	if r.envelope.PayloadType != PayloadType {
		return record{}, fmt.Errorf("expected payload type %q, found %q", PayloadType, r.envelope.PayloadType)
	}
	payload, err := r.envelope.DecodeB64Payload()
	if err != nil {
		return record{}, err
	}
	var st statement
	if err := decodeStrict(payload, &st); err != nil {
		return record{}, fmt.Errorf("expected an in-toto statement with predicate %s: %w", PredicateType, err)
	}
	if err := checkSpelling(r.envelope, st.Predicate, data); err != nil {
		return record{}, err
	}
	p := st.Predicate
	r.Entry = Entry{Sequence: p.Sequence, Previous: p.Previous, Digest: artifact.Sum(data), Event: p.Event}
	return r, nil
}

func decodeStrict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// checkSpelling encodes the content anew and compares with data. This covers the statement's types and subjects too.
func checkSpelling(envelope dsse.Envelope, p predicate, data []byte) error {
	if len(envelope.Signatures) != 1 {
		return fmt.Errorf("expected one signature, found %d", len(envelope.Signatures))
	}
	sig, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	if err != nil {
		return fmt.Errorf("expected a signature in base64: %w", err)
	}
	payload, err := encodeStatement(p)
	if err != nil {
		return err
	}
	want, err := artifact.EncodeJSON(dsse.Envelope{
		PayloadType: PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(payload),
		Signatures:  []dsse.Signature{{KeyID: envelope.Signatures[0].KeyID, Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
	if err != nil {
		return err
	}
	if !bytes.Equal(want, data) {
		return fmt.Errorf("the bytes are not how this content is written (expected %s, found %s); the record was changed", artifact.Sum(want), artifact.Sum(data))
	}
	return nil
}

// follows checks that r is the record after those before it.
func (r record) follows(before []record) error {
	if want := len(before) + 1; r.Sequence != want {
		return fmt.Errorf("expected sequence %d, found %d", want, r.Sequence)
	}
	if want := lastDigest(before); r.Previous != want {
		return fmt.Errorf("expected the previous record's digest %q, found %q", want, r.Previous)
	}
	return nil
}
