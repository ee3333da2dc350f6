package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func (s *system) Submit(_ context.Context, req *intakev1.SubmitRequest) (*intakev1.SubmitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := req.GetIdempotencyKey()
	if s.sent == nil {
		s.sent, s.taken = map[string]int{}, map[string]*intakev1.SubmitRequest{}
	}
	s.sent[key]++
	if s.refuse != nil {
		if err := s.refuse(key, s.sent[key]); err != nil {
			return nil, err
		}
	}
	s.taken[key] = req
	return &intakev1.SubmitResponse{LeadId: "l-" + key}, nil
}

func (s *system) ImportHistory(_ context.Context, req *intakev1.ImportHistoryRequest) (*intakev1.ImportHistoryResponse, error) {
	s.ask(req)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.history == nil {
		s.history = map[string]*intakev1.HistoryRow{}
	}
	out := &intakev1.ImportHistoryResponse{}
	for _, row := range req.GetRows() {
		id := row.GetSubmission().GetExternalId()
		result := &intakev1.RowResult{Line: row.GetLine(), LeadId: "l-" + id}
		if s.refuse != nil {
			if err := s.refuse(id, 1); err != nil {
				result.Error = err.Error()
				out.Results = append(out.Results, result)
				continue
			}
		}
		_, result.Duplicate = s.history[id]
		s.history[id] = row
		out.Results = append(out.Results, result)
	}
	return out, nil
}

func rejectsOf(t testing.TB, file string) [][]string {
	t.Helper()
	f, err := os.Open(file + ".rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestImportHistory(t *testing.T) {
	s := &system{refuse: func(key string, _ int) error {
		if key == "D-3" {
			return fault.New(fault.Invalid, "received_at lies in the future")
		}
		return nil
	}}
	serve(t, s)
	var text strings.Builder
	text.WriteString("id,mail,firm,came,called,stage,closed,amount,agent\n")
	for i := range 1200 {
		fmt.Fprintf(&text, "D-%d,p%d@firm.example,Firm,03.04.2026 09:30,,Open,,,ana\n", i, i)
	}
	text.WriteString("D-7,again@firm.example,Firm,03.04.2026 09:30,,Open,,,ana\n") // line 1202
	text.WriteString("D-x,,,04/03/2026,,Open,,,=HYPERLINK(1)\n")                   // line 1203
	text.WriteString("D-y,too,short\n")                                            // line 1204
	text.WriteString("\"D-z,+49 30 1234\n")                                        // line 1205
	file := writeFile(t, "past.csv", text.String())
	mapping := writeFile(t, "map.yaml", pastMap)

	r := run(t, "import", file, "--source", "crm", "--map", mapping, "--history")
	if r.status != statusOK {
		t.Errorf("status %d: %s", r.status, r.err)
	}
	if want := "1,204 rows: 1,200 accepted (1,199 new, 1 already there), 4 rejected\n"; r.out != want {
		t.Errorf("got %q; want %q", r.out, want)
	}
	has(t, r.err, "baton: 4 rows were rejected; the first is line 5: received_at lies in the future", file+".rejects.csv has them all")
	want := [][]string{
		{"line", "column", "reason", "id", "mail", "firm", "came", "called", "stage", "closed", "amount", "agent"},
		{"5", "", "received_at lies in the future", "D-3", "p3@firm.example", "Firm", "03.04.2026 09:30", "", "Open", "", "", "ana"},
		{"1203", "came", "received_at does not have the declared format DD.MM.YYYY HH:mm", "D-x", "", "", "04/03/2026", "", "Open", "", "", "'=HYPERLINK(1)"},
		{"1204", "", "the row has 3 cells where the header has 9", "D-y", "too", "short"},
		{"1205", "", "a cell is opened with a quotation mark that is never closed", `"D-z,+49 30 1234`},
	}
	got := rejectsOf(t, file)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(file + ".rejects.csv")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the rejects have mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, m := range s.asked {
		if req, is := m.(*intakev1.ImportHistoryRequest); is && (len(req.GetRows()) > mostRows || req.GetSource() != "crm") {
			t.Errorf("%d rows at once for %s", len(req.GetRows()), req.GetSource())
		}
	}

	// Once more: nothing is new.
	r = run(t, "import", file, "--source", "crm", "--map", mapping, "--history", "--batch", "7", "--format", "json")
	var tally importTally
	if err := json.Unmarshal([]byte(r.out), &tally); err != nil {
		t.Fatal(err)
	}
	tally.ReadAs = ""
	if diff := cmp.Diff(importTally{Rows: 1204, Accepted: 1200, There: 1200, Rejected: 4, Rejects: file + ".rejects.csv"}, tally); diff != "" {
		t.Error(diff)
	}
}

func TestImportLive(t *testing.T) {
	_, document := starterDocument(t)
	s := &system{
		agreements: []*agreementv1.Agreement{{Version: 1, Document: document, InForce: true}},
		here:       map[string]bool{"3": true},
		pending:    2,
		refuse: func(key string, _ int) error {
			if key == "9" {
				return fault.New(fault.Invalid, "the submission is empty")
			}
			return nil
		},
	}
	serve(t, s)
	file := writeFile(t, "leads.csv", "id;email;industry\n1;a@b.example;SaaS\n2;b@b.example;x\n3;c@b.example;\n4;d@b.example;\n1;a@b.example;SaaS\n9;e@b.example;\n")
	r := run(t, "import", file, "--source", "web")
	if r.status != statusOK {
		t.Errorf("status %d: %s", r.status, r.err)
	}
	if want := "6 rows: 5 accepted (3 new, 2 already there), 1 rejected\n"; r.out != want {
		t.Errorf("got %q; want %q", r.out, want)
	}
	has(t, r.err, "1 row was rejected; the first is line 7: the submission is empty")
	if s.pending != 0 {
		t.Error("it did not wait for what came before")
	}
	if f := s.taken["1"].GetSubmission().GetFeatures(); f.GetIndustry() != "software" {
		t.Errorf("the agreed word was not found: %v", f)
	}
}

func TestImportStops(t *testing.T) {
	file := writeFile(t, "leads.csv", "id,email\n1,a@b.example\n2,b@b.example\n3,c@b.example\n4,d@b.example\n")
	s := &system{refuse: func(key string, _ int) error {
		if key == "3" {
			return fault.New(fault.Denied, "handing in submissions takes the role marketing or operator; you have sales")
		}
		return nil
	}}
	serve(t, s)
	r := run(t, "import", file, "--source", "web", "--batch", "1")
	if r.status != statusRefused {
		t.Errorf("status %d", r.status)
	}
	if want := "3 rows: 2 accepted (2 new, 0 already there), 0 rejected, 1 not sent\n"; r.out != want {
		t.Errorf("got %q; want %q", r.out, want)
	}
	has(t, r.err, "baton: the import stopped after 3 rows: handing in submissions takes the role marketing or operator", "import the file again when that is mended, which is harmless")

	r = run(t, "import", file, "--source", "nowhere")
	if r.status != statusRefused || r.err != "baton: there is no source \"nowhere\"; there is \"web\", \"crm\"\n" {
		t.Errorf("got %+v", r)
	}
}

func TestImportTriesAgain(t *testing.T) {
	var waited []time.Duration
	im := &importer{ctx: t.Context(), pause: func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		return nil
	}}
	sent := 0
	full := fault.New(fault.Full, "the disk is full")
	if err := im.persist(func() error {
		if sent++; sent < 3 {
			return full
		}
		return nil
	}); err != nil || sent != 3 {
		t.Errorf("%v after %d attempts", err, sent)
	}
	if diff := cmp.Diff([]time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, waited); diff != "" {
		t.Error(diff)
	}
	sent = 0
	if err := im.persist(func() error { sent++; return full }); err == nil || sent != attempts {
		t.Errorf("%v after %d attempts", err, sent)
	}
	sent = 0
	if err := im.persist(func() error { sent++; return fault.New(fault.Invalid, "no") }); err == nil || sent != 1 {
		t.Errorf("%v after %d attempts", err, sent)
	}
}

func TestRejectsAreHarmless(t *testing.T) {
	for in, want := range map[string]string{"": "", "a=b": "a=b", "=1+1": "'=1+1", "+49": "+49", "-1": "-1", "+49 30": "'+49 30", "-1,5": "-1,5", "-1.5e3": "-1.5e3", "-1+1": "'-1+1", "-": "'-", "+": "'+", "-A1": "'-A1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "'x": "'x"} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) = %q; want %q", in, got, want)
		}
	}
}

func (s *system) ResolveLeads(_ context.Context, req *intakev1.ResolveLeadsRequest) (*intakev1.ResolveLeadsResponse, error) {
	s.ask(req)
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &intakev1.ResolveLeadsResponse{}
	for _, id := range req.GetExternalIds() {
		_, past := s.history[id]
		out.Leads = append(out.Leads, &intakev1.ResolvedLead{ExternalId: id, LeadId: "l-" + id, Exists: s.here[id] || past})
	}
	return out, nil
}
