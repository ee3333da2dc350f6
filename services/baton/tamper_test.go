package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/ledger/ledgertest"
)

// little plays a little: leads before and after the agreement, somebody who goes
// away and comes back, a second version.
func little(h *house) (leads []string) {
	h.t.Helper()
	leads = append(leads, h.submit("before", filled(1)))
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.settle()
	people := routingv1.NewRoutingServiceClient(h.conn)
	for _, away := range []bool{true, false} {
		must[*routingv1.Member](h.t)(people.SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{Away: away}))
		leads = append(leads, h.submit(fmt.Sprintf("away-%t", away), filled(len(leads)+1)))
		h.settle()
	}
	h.time.Set(h.time.Now().Add(time.Minute))
	h.agree(bytes.Replace(h.document(), []byte("points_needed: 3"), []byte("points_needed: 4"), 1))
	leads = append(leads, h.submit("after", filled(9)))
	h.settle()
	return leads
}

// point signs the heads of the log and keeps them outside.
func (h *house) point() {
	h.t.Helper()
	must[[]ledger.Checkpoint](h.t)(h.App.log.Checkpoint(h.t.Context()))
}

// verified is what somebody outside finds out about a running system's log.
func (h *house) verified() *audit.Result {
	h.t.Helper()
	return must[*audit.Result](h.t)(audit.Verify(h.as(""), audit.Remote{Client: auditv1.NewAuditServiceClient(h.conn)}, audit.Options{}))
}

// refuses checks that a system takes nothing new, says why, and still shows what
// it has.
func (h *house) refuses(words ...string) {
	h.t.Helper()
	why := h.App.log.ReadOnly()
	for _, word := range words {
		if !strings.Contains(why, word) {
			h.t.Errorf("it should say %q: %q", word, why)
		}
		if !strings.Contains(h.out.String(), word) {
			h.t.Errorf("the log should say %q: %s", word, h.out.String())
		}
	}
	got := h.post("web", "application/x-www-form-urlencoded", []byte(filled(77).Encode()), nil)
	same(h.t, "the door of a log that is read-only", []any{got.status, got.header.Get("Retry-After"), got.body}, []any{http.StatusServiceUnavailable, "60", `{"message":"it could not be kept now: try again later"}`})
	_, err := routingv1.NewRoutingServiceClient(h.conn).AddMember(h.as(""), &routingv1.AddMemberRequest{Member: "eve", Roles: []string{access.Sales}})
	if _, text := told(err); !strings.Contains(text, "read-only") {
		h.t.Errorf("a command on it was answered with %q", text)
	}
}

func TestWholeLogStaysOpen(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	leads := little(h)
	h.point()
	h.stop()
	again := start(t, Config{Data: data, clock: h.time})
	if why := again.App.log.ReadOnly(); why != "" {
		t.Fatalf("a whole log is read-only: %s", why)
	}
	result := whole(t, again)
	if result.Agreements != 2 || result.Decisions < 8 || result.Checkpoints < 2 {
		t.Errorf("%+v", result)
	}
	again.submit("one more", filled(5))
	again.settle()
	same(t, "leads", again.count(), len(leads)+1)
}

func TestChangedByteIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		// of names the event whose body is changed: the first that fits.
		stream, of string
		sound      bool
		says       []string
		finds      string
	}{
		{"a lead's features", ledger.StreamLedger, "LeadReceived", false, []string{"LEDGER", "cannot be read"}, "cannot be read"},
		{"a lead's features, with the right checksum", ledger.StreamLedger, "LeadReceived", true, []string{"LEDGER"}, "the signature of intake does not fit"},
		{"an offer, with the right checksum", ledger.StreamLedger, "LeadOffered", true, []string{"LEDGER"}, "the signature of routing does not fit"},
		{"the log's opening", ledger.StreamLedger, "LedgerOpened", false, []string{"LEDGER", "cannot be read"}, "cannot be read"},
		{"a delivery", ledger.StreamIntake, "IntakeRecord", false, []string{"INTAKE", "cannot be read"}, "cannot be read"},
		{"a delivery, with the right checksum", ledger.StreamIntake, "IntakeRecord", true, []string{"INTAKE"}, "the signature of intake does not fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			h := start(t, Config{Data: data})
			little(h)
			var seq uint64
			var body []byte
			h.stored(c.stream, func(r *ledger.Record) {
				if seq == 0 && strings.HasSuffix(r.Header["ce-type"][0], "."+c.of) {
					seq, body = r.Seq, bytes.Clone(r.Body)
				}
			})
			h.point()
			h.stop()
			ledgertest.Change(t, data, c.stream, seq, c.sound, func(stored []byte) {
				if !bytes.Equal(stored, body) {
					t.Fatalf("record %d is not stored as it was read", seq)
				}
				stored[len(stored)/2] ^= 1
			})

			again := start(t, Config{Data: data, clock: h.time})
			again.refuses(c.says...)
			again.finds(c.stream, seq, c.finds)
			// What is whole stays whole: the finding is of one place, not of all
			// that follows.
			if result := again.verified(); len(result.Findings) > 8 {
				t.Errorf("%d findings for one changed byte: %+v", len(result.Findings), result.Findings)
			}
		})
	}
}

// After a crash the server has no index that it could trust: it reads its blocks
// anew, and ends the stream without a word before the first record that does not
// fit.
func TestChangedByteAfterACrashIsNamed(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	little(h)
	h.point()
	h.stop()
	const seq = 20
	ledgertest.Change(t, data, ledger.StreamLedger, seq, false, func(stored []byte) { stored[len(stored)/2] ^= 1 })
	ledgertest.Crash(t, data, ledger.StreamLedger)
	again := start(t, Config{Data: data, clock: h.time})
	again.refuses(fmt.Sprintf("LEDGER ends at record %d, but a signed checkpoint speaks of", seq-1))
	again.finds(ledger.StreamLedger, seq-1, "its end was cut off")
}

// finds checks that verifying names a place.
func (h *house) finds(stream string, seq uint64, what string) {
	h.t.Helper()
	result := h.verified()
	for _, f := range result.Findings {
		if f.Stream == stream && f.Seq == seq && strings.Contains(f.What, what) {
			return
		}
	}
	h.t.Errorf("no finding names %s %d as %q: %+v", stream, seq, what, result.Findings)
}

func TestCutLogIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		// cut brings the longer log back to so many records; earlier is a copy of
		// it from then.
		cut func(t *testing.T, data, earlier string, short uint64)
	}{
		{"an earlier copy of the whole log", func(t *testing.T, data, earlier string, _ uint64) {
			if err := errors.Join(os.RemoveAll(ledgertest.Log(data)), os.CopyFS(ledgertest.Log(data), os.DirFS(earlier))); err != nil {
				t.Fatal(err)
			}
		}},
		{"the end of a block", func(t *testing.T, data, _ string, short uint64) {
			ledgertest.Cut(t, data, ledger.StreamLedger, short+1)
			ledgertest.Crash(t, data, ledger.StreamLedger)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			h := start(t, Config{Data: data})
			little(h)
			h.point()
			h.stop()
			short := must[uint64](t)(pointed(h, ledger.StreamLedger))
			earlier := filepath.Join(t.TempDir(), "log")
			if err := os.CopyFS(earlier, os.DirFS(ledgertest.Log(data))); err != nil {
				t.Fatal(err)
			}
			h = start(t, Config{Data: data, clock: h.time})
			for n := range 3 {
				h.submit(fmt.Sprint("later-", n), filled(20+n))
			}
			h.settle()
			h.point()
			h.stop()
			long := must[uint64](t)(pointed(h, ledger.StreamLedger))
			if long <= short {
				t.Fatalf("%d records, then %d", short, long)
			}
			c.cut(t, data, earlier, short)

			again := start(t, Config{Data: data, clock: h.time})
			again.refuses(fmt.Sprintf("LEDGER ends at record %d, but a signed checkpoint speaks of %d: its end was cut off", short, long))
			again.finds(ledger.StreamLedger, short, fmt.Sprintf("but a signed checkpoint speaks of %d: its end was cut off", long))
		})
	}
}

// pointed reads how many records the newest checkpoint outside speaks of.
func pointed(h *house, stream string) (size uint64, err error) {
	raw, err := os.ReadFile(filepath.Join(h.cfg.Checkpoints, stream+".checkpoint"))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(string(raw), "\n")
	_, err = fmt.Sscan(lines[1], &size)
	return size, err
}

func TestEmptiedLogIsNamed(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	little(h)
	h.point()
	h.stop()
	if err := os.RemoveAll(ledgertest.Log(data)); err != nil {
		t.Fatal(err)
	}
	again := start(t, Config{Data: data, clock: h.time})
	again.refuses("LEDGER is empty, but a checkpoint outside the data directory")
	again.finds(ledger.StreamLedger, 0, "the stream ends at record 0, but a signed checkpoint speaks of")
	again.finds(ledger.StreamIntake, 0, "the stream ends at record 0, but a signed checkpoint speaks of")
}
