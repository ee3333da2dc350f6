package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// Every event's contract, so that any event of the log can be decoded.
	_ "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	_ "github.com/leadbaton/baton/proto/gen/baton/routing/v1"

	"github.com/leadbaton/baton/services/internal/fault"
)

// The envelope: CloudEvents attributes in the binary mode of its NATS binding,
// as lower-case ce-* headers, and traceparent. NATS header names keep their
// case, so they are written and read in lower case only.
const (
	hSpec        = "ce-specversion"
	hID          = "ce-id"
	hSource      = "ce-source"
	hType        = "ce-type"
	hTime        = "ce-time"
	hContentType = "ce-datacontenttype"
	hRecorded    = "ce-recordedtime"
	hCause       = "ce-causationid"
	hCorrelation = "ce-correlationid"
	hActor       = "ce-actor"
	hAgreement   = "ce-agreementversion"
	hBasis       = "ce-basis"
	hLogic       = "ce-logicversion"
	hTZData      = "ce-tzdataversion"
	hPrev        = "ce-prevhash"
	hSignature   = "ce-signature"
	hTrace       = "traceparent"

	sourcePrefix = "/baton/"
	reserved     = "Nats-"
)

// timeFormat keeps nanoseconds and the zone.
const timeFormat = time.RFC3339Nano

// eventID is computed, so that the same effect of the same cause has the same
// id whoever computes it, and however often.
func eventID(cause, service, subject string, position int) string {
	h := sha256.New()
	for _, part := range []string{"baton event id v1", cause, service, subject, strconv.Itoa(position)} {
		writeBytes(h, []byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func writeBytes(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// signingDigest covers a record as it is stored, all but its signature: the
// subject, every header of ours in sorted order, and the body.
func signingDigest(subject string, header nats.Header, body []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("baton event v1\n"))
	writeBytes(h, []byte(subject))
	names := make([]string, 0, len(header))
	for name := range header {
		if name != hSignature && !strings.HasPrefix(name, reserved) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			writeBytes(h, []byte(name))
			writeBytes(h, []byte(value))
		}
	}
	writeBytes(h, body)
	return [32]byte(h.Sum(nil))
}

// recordHash is what the subject's next event cites and what the tree holds.
func recordHash(subject string, header nats.Header, body []byte) [32]byte {
	digest := signingDigest(subject, header, body)
	h := sha256.New()
	h.Write([]byte("baton record v1\n"))
	h.Write(digest[:])
	writeBytes(h, []byte(header.Get(hSignature)))
	return [32]byte(h.Sum(nil))
}

// leaf is a record's leaf in the tree of its stream.
func leaf(seq uint64, hash [32]byte) []byte {
	out := make([]byte, 0, 8+32+14)
	out = append(out, "baton leaf v1\n"...)
	out = binary.BigEndian.AppendUint64(out, seq)
	return append(out, hash[:]...)
}

// Record is one message of a stream exactly as stored.
type Record struct {
	Seq     uint64
	Subject string
	Header  map[string][]string
	Body    []byte
	// Stored is when the log took it, by the server's clock; zero where one subject's
	// records were asked for.
	Stored time.Time
}

// Hash of the record.
func (r *Record) Hash() [32]byte {
	return recordHash(r.Subject, nats.Header(r.Header), r.Body)
}

// Leaf of the record in the tree of its stream.
func (r *Record) Leaf() []byte { return leaf(r.Seq, r.Hash()) }

// Type is the type of the record's event, as TypeOf spells it. It is read without
// decoding the event.
func (r *Record) Type() string { return nats.Header(r.Header).Get(hType) }

// TypeOf is the type of events with such a body.
func TypeOf(body proto.Message) string { return string(body.ProtoReflect().Descriptor().FullName()) }

// Verify checks the record's signature against the key of the service that it
// names and that this service may write this type.
func (r *Record) Verify(keys map[string]ed25519.PublicKey) error {
	header := nats.Header(r.Header)
	service := strings.TrimPrefix(header.Get(hSource), sourcePrefix)
	key, ok := keys[service]
	if !ok {
		return fault.New(fault.Corrupt, "record %d names the service %q, which has no key in this log", r.Seq, service)
	}
	if !mayWrite(service, header.Get(hType)) {
		return fault.New(fault.Corrupt, "record %d: %s may not write %s", r.Seq, service, header.Get(hType))
	}
	sig, err := base64.StdEncoding.DecodeString(header.Get(hSignature))
	digest := signingDigest(r.Subject, header, r.Body)
	if err != nil || !ed25519.Verify(key, digest[:], sig) {
		return fault.New(fault.Corrupt, "record %d (%s on %s): the signature of %s does not fit; the record was changed after it was written", r.Seq, header.Get(hType), Kind(r.Subject), service)
	}
	return nil
}

// Kind is a subject's first token, safe to show anywhere.
func Kind(subject string) string {
	kind, _, _ := strings.Cut(subject, ".")
	return kind
}

// Decode reads a stored record as an event.
func (r *Record) Decode() (*Event, error) {
	h := nats.Header(r.Header)
	e := &Event{
		Seq: r.Seq, Subject: r.Subject, ID: h.Get(hID), Type: h.Get(hType),
		Service: strings.TrimPrefix(h.Get(hSource), sourcePrefix),
		Cause:   h.Get(hCause), Correlation: h.Get(hCorrelation), Logic: h.Get(hLogic), TZData: h.Get(hTZData),
		TraceParent: h.Get(hTrace), Hash: r.Hash(),
	}
	bad := func(what string, err error) error {
		return fault.New(fault.Corrupt, "record %d on %s: %s cannot be read: %w", r.Seq, Kind(r.Subject), what, err)
	}
	var err error
	if e.Actor, err = url.PathUnescape(h.Get(hActor)); err != nil {
		return nil, bad("the actor", err)
	}
	if e.Occurred, err = time.Parse(timeFormat, h.Get(hTime)); err != nil {
		return nil, bad("the occurred time", err)
	}
	if e.Recorded, err = time.Parse(timeFormat, h.Get(hRecorded)); err != nil {
		return nil, bad("the recorded time", err)
	}
	if v := h.Get(hAgreement); v != "" {
		if e.Agreement, err = strconv.ParseInt(v, 10, 64); err != nil {
			return nil, bad("the agreement version", err)
		}
	}
	if v := h.Get(hBasis); v != "" {
		if e.Basis, err = strconv.ParseUint(v, 10, 64); err != nil {
			return nil, bad("the basis", err)
		}
	}
	prev, err := hex.DecodeString(h.Get(hPrev))
	if err == nil && len(prev) != 32 {
		err = fmt.Errorf("it has %d bytes, not 32", len(prev))
	}
	if err != nil {
		return nil, bad("the hash of the previous event", err)
	}
	e.Prev = [32]byte(prev)
	if e.Body, err = newBody(e.Type); err != nil {
		return nil, bad("the type", err)
	}
	if err := proto.Unmarshal(r.Body, e.Body); err != nil {
		return nil, bad("the body", err)
	}
	return e, nil
}

func newBody(typ string) (proto.Message, error) {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(typ))
	if err != nil {
		return nil, fault.New(fault.Corrupt, "%q is not a type of event that this version of Baton knows; use a newer one", typ)
	}
	return mt.New().Interface(), nil
}

// encode makes the message of a draft: envelope in headers, body bare.
func encode(d *Draft, service string, key ed25519.PrivateKey, prev Place, recorded time.Time) (*nats.Msg, *Event, error) {
	body, err := proto.Marshal(d.Body)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "ledger: cannot encode %s: %w", d.Body.ProtoReflect().Descriptor().FullName(), err)
	}
	occurred := d.Occurred
	if occurred.IsZero() {
		occurred = recorded
	}
	e := &Event{
		Subject: d.Subject, ID: eventID(d.Cause, service, d.Subject, d.Position),
		Type: string(d.Body.ProtoReflect().Descriptor().FullName()), Service: service,
		Occurred: occurred.UTC().Round(0), Recorded: recorded.UTC().Round(0),
		Cause: d.Cause, Correlation: d.Correlation, Actor: d.Actor, Agreement: d.Agreement,
		Basis: d.Basis, Logic: d.Logic, Prev: prev.Hash, TraceParent: d.TraceParent, Body: d.Body,
	}
	if e.Actor == "" {
		e.Actor = "service:" + service
	}
	if e.Correlation == "" {
		e.Correlation = e.Cause
	}
	h := nats.Header{
		hSpec: {"1.0"}, hID: {e.ID}, hSource: {sourcePrefix + service}, hType: {e.Type},
		hTime: {e.Occurred.Format(timeFormat)}, hContentType: {"application/protobuf"},
		hRecorded: {e.Recorded.Format(timeFormat)}, hActor: {url.PathEscape(e.Actor)},
		hPrev: {hex.EncodeToString(prev.Hash[:])},
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(hCause, e.Cause)
	set(hCorrelation, e.Correlation)
	set(hTrace, e.TraceParent)
	set(hLogic, e.Logic)
	if e.Agreement != 0 {
		set(hAgreement, strconv.FormatInt(e.Agreement, 10))
	}
	if e.Basis != 0 {
		set(hBasis, strconv.FormatUint(e.Basis, 10))
	}
	if e.Logic != "" {
		e.TZData = d.tzdata
		set(hTZData, d.tzdata)
	}
	digest := signingDigest(d.Subject, h, body)
	h[hSignature] = []string{base64.StdEncoding.EncodeToString(ed25519.Sign(key, digest[:]))}
	e.Hash = recordHash(d.Subject, h, body)
	return &nats.Msg{Subject: d.Subject, Header: h, Data: body}, e, nil
}
