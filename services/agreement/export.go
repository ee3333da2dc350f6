package agreement

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
)

// exportFormat names the way in which a stored agreement is written.
const exportFormat = "baton agreement 1"

// Export is one version as it is stored away: the document, who signed it and
// when. What the parties signed proves itself, with their keys; who brought it and
// when is what the log says, at the sequences that are named. The seal finds what
// was changed by accident.
type Export struct {
	Format     string            `json:"format"`
	Version    int64             `json:"version"`
	Name       string            `json:"name"`
	Digest     string            `json:"digest"`
	Document   string            `json:"document"`
	Proposed   ExportedEvent     `json:"proposed"`
	Why        string            `json:"why"`
	Signatures []ExportSignature `json:"signatures"`
	// InForceFrom is empty until both have signed.
	InForceFrom string `json:"in_force_from"`
	// Before are earlier versions whose keys signed this one: a version that names
	// a new key of a party is signed with the old one.
	Before []Export `json:"before,omitempty"`
	// Seal is the SHA-256 of the whole with an empty seal.
	Seal string `json:"seal"`
}

// ExportedEvent says who said something, when, and where the log has it.
type ExportedEvent struct {
	At       string `json:"at"`
	By       string `json:"by"`
	Sequence uint64 `json:"sequence"`
}

// ExportSignature is one party's signature.
type ExportSignature struct {
	Party string `json:"party"`
	ExportedEvent
	PublicKey string `json:"public_key"`
	Signature string `json:"signature"`
}

// NewExport stores a version away, with the versions before it whose keys signed
// it; of all those that are given, it takes what it needs.
func NewExport(a *agreementv1.Agreement, earlier ...*agreementv1.Agreement) (Export, error) {
	out := Export{
		Format: exportFormat, Version: a.GetVersion(), Name: a.GetName(), Digest: hex.EncodeToString(a.GetDigest()), Document: string(a.GetDocument()), Why: a.GetWhy(),
		Proposed: ExportedEvent{instantText(instantOf(a.GetProposedAt())), a.GetProposedBy(), a.GetSequence()}, Signatures: []ExportSignature{},
		InForceFrom: instantText(instantOf(a.GetInForceFrom())),
	}
	compiled, err := Restore(a.GetDocument())
	if err != nil {
		return Export{}, fmt.Errorf("version %d cannot be read by this version of Baton: %w", a.GetVersion(), err)
	}
	for _, s := range a.GetSignatures() {
		signed := ExportSignature{s.GetParty(), ExportedEvent{instantText(instantOf(s.GetSignedAt())), s.GetActor(), s.GetSequence()}, keyText(s.GetPublicKey()), base64.StdEncoding.EncodeToString(s.GetSignature())}
		out.Signatures = append(out.Signatures, signed)
		if compiled.PartyKey(s.GetParty()).Equal(ed25519.PublicKey(s.GetPublicKey())) {
			continue
		}
		for i, before := range earlier {
			at := instantOf(s.GetSignedAt())
			from, until := instantOf(before.GetInForceFrom()), instantOf(before.GetInForceUntil())
			inForce := !from.IsZero() && !from.After(at) && (until.IsZero() || until.After(at))
			if before.GetVersion() == a.GetVersion() || !inForce || slices.ContainsFunc(out.Before, func(e Export) bool { return e.Version == before.GetVersion() }) {
				continue
			}
			one, err := NewExport(before, slices.Delete(slices.Clone(earlier), i, i+1)...)
			if err != nil {
				return Export{}, err
			}
			out.Before = append(out.Before, one)
		}
	}
	out.Seal = out.seal()
	return out, nil
}

// Bytes is the export as it is written; there is one way only.
func (e Export) Bytes() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(e); err != nil { // texts and numbers always are JSON
		return nil
	}
	return out.Bytes()
}

func (e Export) seal() string {
	e.Seal = ""
	sum := sha256.Sum256(e.Bytes())
	return hex.EncodeToString(sum[:])
}

// VerifyExport says what is wrong with a stored agreement, in words; nothing is
// wrong with one that is whole. It asks nobody.
func VerifyExport(data []byte) (Export, []string) {
	var e Export
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return e, []string{"it is no stored agreement, or what stores it was changed: " + err.Error()}
	}
	if e.Format != exportFormat {
		return e, []string{fmt.Sprintf("its format is %q, and this version of Baton reads %q", e.Format, exportFormat)}
	}
	if written := e.Bytes(); !bytes.Equal(written, data) {
		at := 0
		for at < len(written) && at < len(data) && written[at] == data[at] {
			at++
		}
		return e, []string{fmt.Sprintf("it was changed at byte %d, line %d: Baton writes it in one way only", at+1, 1+bytes.Count(data[:at], []byte("\n")))}
	}
	if e.Seal != e.seal() {
		wrong := []string{"it was changed after it was written: its seal does not fit what is in it"}
		if problem := e.otherDocument(); problem != "" {
			wrong = append(wrong, problem)
		}
		return e, wrong
	}
	return e, e.wrong()
}

// otherDocument says that the document is not the one that was signed; empty =
// it is.
func (e Export) otherDocument() string {
	sum := sha256.Sum256([]byte(e.Document))
	if hex.EncodeToString(sum[:]) == e.Digest {
		return ""
	}
	return fmt.Sprintf("version %d: the document is not the one that was signed: its SHA-256 is %x, not %s", e.Version, sum, e.Digest)
}

// wrong lists what does not fit together.
func (e Export) wrong() []string {
	var out []string
	say := func(format string, args ...any) {
		out = append(out, fmt.Sprintf("version %d: ", e.Version)+fmt.Sprintf(format, args...))
	}
	if problem := e.otherDocument(); problem != "" {
		return append(out, problem)
	}
	a, err := Restore([]byte(e.Document))
	if err != nil {
		say("the document cannot be read as an agreement by this version of Baton")
		return out
	}
	if a.name != e.Name {
		say("it is called %q, and its document is called %q", e.Name, a.name)
	}
	for _, before := range e.Before {
		out = append(out, before.wrong()...)
	}
	var last time.Time
	sequence, both := e.Proposed.Sequence, true
	for _, party := range bothParties {
		var signed []ExportSignature
		for _, s := range e.Signatures {
			if s.Party == party {
				signed = append(signed, s)
			}
		}
		if len(signed) != 1 {
			both = false
			if len(signed) == 0 {
				say("%s has not signed it: it is a draft that nothing uses", party)
			} else {
				say("%s has signed it %d times", party, len(signed))
			}
			continue
		}
		for _, problem := range e.signature(a, signed[0]) {
			say("%s", problem)
		}
		at, err := time.Parse(time.RFC3339Nano, signed[0].At)
		if err != nil {
			say("when %s signed is %q, which is no time", party, signed[0].At)
		}
		if at.After(last) {
			last = at
		}
		if signed[0].Sequence <= sequence {
			say("the log cannot have the signature of %s at %d, before the proposal at %d", party, signed[0].Sequence, sequence)
		}
	}
	if len(e.Signatures) > 2 {
		say("it has %d signatures, and there are two parties", len(e.Signatures))
	}
	from := last
	if stated, ok := a.InForceFrom(); ok && stated.After(from) {
		from = stated
	}
	switch {
	case !both && e.InForceFrom != "":
		say("it says that it is in force from %s, and not both have signed", e.InForceFrom)
	case both && e.InForceFrom != instantText(from):
		say("it says that it is in force from %q; by its signatures and its document that is %s", e.InForceFrom, instantText(from))
	}
	return out
}

// signature says what is wrong with one signature.
func (e Export) signature(a *Agreement, s ExportSignature) []string {
	key, err := publicKeyOf(s.PublicKey)
	if err != nil {
		return []string{fmt.Sprintf("the key of %s is no key", s.Party)}
	}
	var out []string
	named := a.PartyKey(s.Party).Equal(key)
	for _, before := range e.Before {
		if old, err := Restore([]byte(before.Document)); err == nil && before.InForceFrom != "" && before.InForceFrom <= s.At && old.PartyKey(s.Party).Equal(key) {
			named = true
		}
	}
	if !named {
		out = append(out, fmt.Sprintf("the key that signed for %s is not the one that the agreement names: %s", s.Party, s.PublicKey))
	}
	digest, _ := hex.DecodeString(e.Digest)
	signature, err := base64.StdEncoding.Strict().DecodeString(s.Signature)
	if err != nil || !ed25519.Verify(key, SignedText(digest), signature) {
		out = append(out, fmt.Sprintf("the signature of %s does not fit the document", s.Party))
	}
	return out
}

// publicKeyOf reads a key as the document writes it.
func publicKeyOf(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, "ed25519:")
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is no public key", text)
	}
	return key, nil
}

// instantText is an instant as an export writes it: always as long, so that two
// can be compared as texts.
func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}
