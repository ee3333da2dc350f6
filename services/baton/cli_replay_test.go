package main

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// stored is an event as the log holds it.
func stored(t testing.TB, seq uint64, subject string, body proto.Message) *auditv1.StoredRecord {
	t.Helper()
	raw, err := proto.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := &auditv1.StoredRecord{Sequence: seq, Subject: subject, Body: raw}
	for _, h := range [][2]string{
		{"ce-id", "e1"},
		{"ce-source", "/baton/routing"},
		{"ce-type", string(body.ProtoReflect().Descriptor().FullName())},
		{"ce-time", noon.Format(time.RFC3339Nano)},
		{"ce-recordedtime", noon.Add(time.Second).Format(time.RFC3339Nano)},
		{"ce-actor", "ana%1B%5B31m"},
		{"ce-agreementversion", "2"},
		{"ce-basis", "6"},
		{"ce-logicversion", "routing/1"},
		{"ce-prevhash", strings.Repeat("ab", 32)},
	} {
		r.Headers = append(r.Headers, &auditv1.Header{Name: h[0], Value: h[1]})
	}
	return r
}

func TestReplay(t *testing.T) {
	s := &system{records: []*auditv1.StoredRecord{
		stored(t, 7, "lead.lone", &leadv1.OfferAccepted{Member: "ana", Offer: 1}),
		{Sequence: 8, Subject: "lead.lone", Unreadable: "the body was cut"},
		stored(t, 9, "lead.lone", &leadv1.OfferAccepted{Member: "ben", Offer: 2}),
	}}
	s.records[2].Body = []byte{0xff}
	serve(t, s)

	r := run(t, "replay", "--lead", "lone", "--from", "2026-04-03T12:00:00Z")
	if r.status != statusRefused {
		t.Errorf("status %d with records that cannot be read", r.status)
	}
	has(t, r.err, "baton: 2 records cannot be read; baton verify says")
	lines := strings.Split(r.out, "\n")
	if want := "       7  2026-04-03T12:00:01Z  OfferAccepted         lead    ana\ufffd[31m          ana accepted offer 1."; lines[0] != want {
		t.Errorf("got  %q\nwant %q", lines[0], want)
	}
	has(t, lines[1], "       8  unreadable: the body was cut")
	has(t, lines[2], "       9  unreadable: ")
	if diff := cmp.Diff(&auditv1.ReplayRequest{LeadId: "lone", From: at(0)}, last[*auditv1.ReplayRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	s.records = s.records[:1]
	out := ok(t, "replay", "--format", "json")
	var e struct {
		Sequence    uint64
		Subject     string
		Type        string
		Actor       string
		OccurredAt  string `json:"occurred_at"`
		RecordedAt  string `json:"recorded_at"`
		Agreement   int64  `json:"agreement_version"`
		Basis       uint64
		Logic       string `json:"logic_version"`
		Hash        string
		Prev        string `json:"prev_hash"`
		Sentence    string
		Body        struct{ Member string }
		TraceParent *string `json:"traceparent"`
	}
	scanner := bufio.NewScanner(strings.NewReader(out))
	n := 0
	for ; scanner.Scan(); n++ {
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 || e.Sequence != 7 || e.Subject != "lead.lone" || e.Type != "baton.lead.v1.OfferAccepted" || e.Actor != "ana\x1b[31m" ||
		e.OccurredAt != "2026-04-03T12:00:00Z" || e.RecordedAt != "2026-04-03T12:00:01Z" || e.Agreement != 2 || e.Basis != 6 || e.Logic != "routing/1" ||
		len(e.Hash) != 64 || e.Prev != strings.Repeat("ab", 32) || e.Body.Member != "ana" || e.Sentence != "ana accepted offer 1." || e.TraceParent == nil {
		t.Errorf("%d lines; got %+v", n, e)
	}
}

func TestReplayOfNothing(t *testing.T) {
	serve(t, &system{})
	if out := ok(t, "replay"); out != "" {
		t.Errorf("got %q", out)
	}
}
