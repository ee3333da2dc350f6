package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/internal/ledger"
)

var rewriteGolden = flag.Bool("update", false, "write the golden history of the logic in use anew, for the audit's tests")

// goldenFile is the history that the audit's tests derive again. Its name holds
// the logic versions: a new one gets a file of its own, and the old ones stay.
const goldenFile = "../audit/testdata/golden-routing4-qualification3-clocks1.jsonl.gz"

// goldenLine is one line of it: a record as stored, a checkpoint, or a key. The
// keys signed this history and nothing else; tests forge records with them.
type goldenLine struct {
	Stream     string              `json:"stream,omitempty"`
	Seq        uint64              `json:"seq,omitempty"`
	Subject    string              `json:"subject,omitempty"`
	Headers    map[string][]string `json:"headers,omitempty"`
	Body       []byte              `json:"body,omitempty"`
	Checkpoint string              `json:"checkpoint,omitempty"`
	Outside    string              `json:"outside,omitempty"`
	Verifier   string              `json:"verifier,omitempty"`
	Service    string              `json:"service,omitempty"`
	Seed       string              `json:"seed,omitempty"`
}

// Two working weeks with two versions of the agreement and people who go away
// and come back derive again from the log alone. With -update they become the
// golden history.
func TestGoldenHistory(t *testing.T) {
	ctx := t.Context()
	p, err := newPlay(ctx, t.TempDir(), io.Discard, demoConfig{leads: 60, seed: 11})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.app.Stop(context.WithoutCancel(ctx)) })
	if err := p.begin(ctx); err != nil {
		t.Fatal(err)
	}
	for _, day := range []int{2, 8} {
		p.at(p.start.AddDate(0, 0, day).Add(5*time.Hour), func(ctx context.Context) error {
			_, err := p.app.log.Checkpoint(ctx)
			return err
		})
	}
	if err := p.play(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.app.log.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	result, err := audit.Verify(ctx, audit.Direct{Log: p.app.log}, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Whole() || result.Decisions < 100 || result.Agreements != 2 || result.Checkpoints < 6 {
		t.Fatalf("the play is not what the golden history needs: %+v", result)
	}
	if *rewriteGolden {
		writeGolden(t, p)
	}
}

func writeGolden(t *testing.T, p *play) {
	t.Helper()
	ctx := t.Context()
	var raw bytes.Buffer
	out := gzip.NewWriter(&raw)
	write := func(line goldenLine) {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	source := audit.Direct{Log: p.app.log}
	for _, stream := range []string{ledger.StreamLedger, ledger.StreamIntake} {
		notes, verifier, outside, err := source.Checkpoints(ctx, stream)
		if err != nil {
			t.Fatal(err)
		}
		for _, note := range notes {
			write(goldenLine{Stream: stream, Checkpoint: note})
		}
		write(goldenLine{Stream: stream, Outside: outside, Verifier: verifier})
		err = source.Read(ctx, stream, func(r *ledger.Record) error {
			write(goldenLine{Stream: stream, Seq: r.Seq, Subject: r.Subject, Headers: r.Header, Body: r.Body})
			return nil
		}, func(seq uint64, why string) error {
			t.Fatalf("record %d of %s: %s", seq, stream, why)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range []string{"agreement", "audit", "delivery", "feedback", "intake", "qualification", "routing"} {
		key, ok := p.app.log.Keyring().Private(service)
		if !ok {
			t.Fatalf("%s has no key", service)
		}
		write(goldenLine{Service: service, Seed: base64.StdEncoding.EncodeToString(key.Seed())})
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(goldenFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, raw.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s holds %d bytes", goldenFile, raw.Len())
}
