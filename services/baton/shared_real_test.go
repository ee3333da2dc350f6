//go:build real

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// shared is the folder of real bodies and data beside the checkout.
const shared = "../../../shared"

// running is a system that the command line talks to.
func running(t *testing.T, cfg Config) *App {
	t.Helper()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.HTTP, cfg.Console, cfg.GRPC, cfg.Metrics, cfg.FreeFloor = "127.0.0.1:0", "-", "127.0.0.1:0", "-", 1
	app, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop(context.Background()) })
	return app
}

// baton runs one command line against the system and answers what it printed.
func (a *App) baton(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := program()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(args, "--server", a.GRPCAddr, "--token", a.admin))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func readShared(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, name))
	if err != nil {
		t.Fatalf("this test reads real bodies in the folder shared beside the checkout: %v", err)
	}
	return raw
}

// TestRealBodiesBecomeLeads posts bodies that real tools and browsers sent and
// looks at what came of them as a user would.
func TestRealBodiesBecomeLeads(t *testing.T) {
	var vector struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	if err := json.Unmarshal(readShared(t, "webhooks/github.vector.json"), &vector); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(vector.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := running(t, Config{Sources: []string{"github,header=X-Hub-Signature-256,prefix=sha256=,secret=file:" + secret}})
	post := func(source, contentType string, body []byte, header map[string]string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+app.HTTPAddr+"/hooks/"+source, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	urlencoded := readShared(t, "webhooks/html-urlencoded.form")
	multipart := readShared(t, "webhooks/html-multipart.form")
	boundary := strings.TrimPrefix(strings.TrimSpace(string(multipart[:bytes.IndexByte(multipart, '\n')])), "--")
	for _, one := range []struct {
		source, contentType string
		body                []byte
		header              map[string]string
		want                int
	}{
		{"web", "application/x-www-form-urlencoded", urlencoded, nil, 200},
		{"web", "application/x-www-form-urlencoded", urlencoded, nil, 200}, // twice: one lead
		{"web", "multipart/form-data; boundary=" + boundary, multipart, nil, 200},
		{"github", "application/x-www-form-urlencoded", []byte(vector.Body), vector.Headers, 200},
		{"github", "application/x-www-form-urlencoded", []byte(vector.Body + "!"), vector.Headers, 401},
		{"github", "application/json", []byte(`{"email":"x@y.example"}`), nil, 401},
	} {
		if got := post(one.source, one.contentType, one.body, one.header); got != one.want {
			t.Errorf("%s answered %d, want %d", one.source, got, one.want)
		}
	}
	settle(t, app)
	leads, err := leadv1.NewLeadServiceClient(app.conn).ListLeads(access.WithToken(t.Context(), app.admin), &leadv1.ListLeadsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(leads.GetLeads()) != 3 {
		t.Fatalf("%d leads, want 3: a form, a form with a file, a signed delivery", len(leads.GetLeads()))
	}
	for _, l := range leads.GetLeads() {
		for _, verb := range []string{"show", "history", "explain"} {
			out, err := app.baton(t, "lead", verb, l.GetLeadId())
			if err != nil || len(out) < 50 {
				t.Errorf("lead %s says %q, %v", verb, out, err)
			}
			if verb == "show" && l.GetSource() == "web" && !strings.Contains(out, "unsigned") {
				t.Errorf("an unsigned source is not shown as such:\n%s", out)
			}
		}
	}
	out, err := app.baton(t, "verify")
	if err != nil || !strings.Contains(out, "0 differ") {
		t.Errorf("verify says %v:\n%s", err, out)
	}
}

const dealsMap = `columns:
  external_id: opportunity_id
  company: account
  product: product
  received_at: {column: engage_date, format: YYYY-MM-DD}
  outcome: {column: deal_stage, map: {Won: won, Lost: lost, Engaging: open, Prospecting: open}}
  closed_at: {column: close_date, format: YYYY-MM-DD}
  value: {column: close_value, currency: USD}
  owner: sales_agent
`

// TestRealDealsComeInOnce imports 8,800 real-shaped deals as history: every row
// is accounted for, nobody is notified, nothing is routed, and a second time
// brings nothing new.
func TestRealDealsComeInOnce(t *testing.T) {
	packed, err := gzip.NewReader(bytes.NewReader(readShared(t, "data/maven-crm-sales-opportunities/sales_pipeline.csv.gz")))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, mapping := filepath.Join(dir, "deals.csv"), filepath.Join(dir, "map.yaml")
	for name, content := range map[string][]byte{file: raw, mapping: []byte(dealsMap)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := running(t, Config{})
	counts := regexp.MustCompile(`([\d,]+) rows: ([\d,]+) accepted \(([\d,]+) new, ([\d,]+) already there\), ([\d,]+) rejected`)
	var before uint64
	for round, wantNew := range []int{8300, 0} {
		out, err := app.baton(t, "import", file, "--source", "web", "--history", "--map", mapping)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		found := counts.FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("the import says %q", out)
		}
		n := make([]int, 6)
		for i := 1; i < 6; i++ {
			if _, err := fmt.Sscan(strings.ReplaceAll(found[i], ",", ""), &n[i]); err != nil {
				t.Fatal(err)
			}
		}
		if n[1] != 8800 || n[2]+n[5] != n[1] || n[3]+n[4] != n[2] || n[3] != wantNew {
			t.Errorf("round %d: %s", round, found[0])
		}
		settle(t, app)
		last := app.log.Follower().Pos()
		if round == 1 && last != before {
			t.Errorf("the second import wrote %d events", last-before)
		}
		before = last
	}
	info, err := os.Stat(file + ".rejects.csv")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rejects: %v, %v", info, err)
	}
	err = app.log.Read(t.Context(), ledger.StreamLedger, 1, before, func(r *ledger.Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		if e.Service == "routing" || e.Service == "qualification" {
			t.Errorf("%s said %s about imported history", e.Service, e.Type)
		}
		return nil
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d: %s", seq, why) })
	if err != nil {
		t.Fatal(err)
	}
	report, err := feedbackv1.NewReportServiceClient(app.conn).GetReport(access.WithToken(t.Context(), app.admin), &feedbackv1.GetReportRequest{Report: "funnel", Historical: true})
	if err != nil {
		t.Fatal(err)
	}
	// The data set's own figures.
	if won, lost := totalOf(report, "won"), totalOf(report, "lost"); won != 4238 || lost != 2473 {
		t.Errorf("%v won and %v lost, the file holds 4238 and 2473", won, lost)
	}
}

// settle waits until nothing is left to do and the read model has it all.
func settle(t *testing.T, app *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := app.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if err := app.Read(ctx); err != nil {
		t.Fatal(err)
	}
}
