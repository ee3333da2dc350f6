package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

func verify(t testing.TB, src Source, opt Options) *Result {
	t.Helper()
	out, err := Verify(t.Context(), src, opt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each golden history derives again, by the logic that decided it: every decision
// of two weeks, under two versions of the agreement, with people who came and went.
func TestGoldenHistoryDerivesAgain(t *testing.T) {
	for n, name := range goldenFiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			derivesAgain(t, goldenOf(t, n), n)
		})
	}
}

func derivesAgain(t *testing.T, h *history, n int) {
	var decisions, types, deliveries, facts int64
	kinds := map[string]int{}
	for _, r := range h.records[ledger.StreamLedger] {
		if header(r, "ce-logicversion") != "" {
			decisions++
			kinds[kind(r)]++
		}
		switch kind(r) {
		case "AgreementSigned", "TargetsProposed", "TargetsSigned":
			facts++
		}
		types++
	}
	for _, r := range h.records[ledger.StreamIntake] {
		e, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		deliveries += int64(len(e.Body.(*intakev1.IntakeRecord).GetDeliveries()))
	}
	// The history is worth deriving only if all that is decided happens in it.
	if facts < 4 || n > 2 && facts < 7 {
		t.Errorf("the history holds %d facts that are checked", facts)
	}
	if n > 0 && kinds["NurtureAdvanced"] == 0 {
		t.Error("the history holds no touch of the nurture plan")
	}
	if n > 1 && (kinds["ClockReminded"] == 0 || kinds["ClockBreached"] == 0 || kinds["ClockEscalated"] == 0 || kinds["LeadReassigned"] == 0) {
		t.Errorf("the history holds %d reminders, %d breaches and %d steps of clocks, and %d moves", kinds["ClockReminded"], kinds["ClockBreached"], kinds["ClockEscalated"], kinds["LeadReassigned"])
	}
	for _, name := range []string{"QualificationHeld", "LeadQualified", "LeadNurtured", "LeadOffered", "LeadQueued", "OfferAccepted", "OfferRejected", "OfferTimedOut", "PoolAdvanced"} {
		if kinds[name] == 0 {
			t.Errorf("the history holds no decision %s", name)
		}
	}
	got := verify(t, h, Options{})
	if !got.Whole() {
		t.Errorf("found %v and %d more", got.Findings, got.More)
	}
	want := &Result{
		Ledger: got.Ledger, Events: types, Records: int64(len(h.records[ledger.StreamIntake])), Deliveries: deliveries, Decisions: decisions,
		Facts: facts, Agreements: 2, Checkpoints: int64(len(h.notes[ledger.StreamLedger]) + len(h.notes[ledger.StreamIntake]) + 2),
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || got.Ledger == "" {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Folding behind the reader finds the same as folding at the end: a long log is
// verified in one pass.
func TestFoldingBehindTheReader(t *testing.T) {
	t.Parallel()
	h := golden(t)
	r := h.find(t, "LeadOffered", 10)
	change(t, r, func(in *leadv1.LeadOffered) { in.Summary = "Because she asked first." })
	h.forge(t, ledger.StreamLedger, r.Seq)
	want := verify(t, h, Options{})
	if want.Differ != 1 {
		t.Fatalf("%d decisions differ, want the forged one", want.Differ)
	}
	for _, lag := range []int{60, 100, 300} {
		got := verify(t, h, Options{lag: lag})
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("behind by %d events: %+v\nwant %+v", lag, got, want)
		}
	}
	// A decision that rests on something older than that cannot be derived in
	// one pass, and is not passed over in silence.
	set(r, "ce-basis", "3")
	h.forge(t, ledger.StreamLedger, r.Seq)
	if got := verify(t, h, Options{lag: 60}); !slices.ContainsFunc(got.Findings, func(f Finding) bool {
		return f.Seq == r.Seq && strings.Contains(f.What, "its basis 3 is older than 60 events, so it cannot be derived again in one pass")
	}) {
		t.Errorf("found %v", got.Findings)
	}
}

// A window of time derives only the decisions of that time; chains and trees
// are checked whole all the same.
func TestWindowOfTime(t *testing.T) {
	t.Parallel()
	h := golden(t)
	first, err := h.find(t, "LeadOffered", 0).Decode()
	if err != nil {
		t.Fatal(err)
	}
	middle := first.Recorded.AddDate(0, 0, 5)
	before, after, all := verify(t, h, Options{To: middle}), verify(t, h, Options{From: middle}), verify(t, h, Options{})
	if before.Decisions == 0 || after.Decisions == 0 || before.Decisions+after.Decisions != all.Decisions {
		t.Errorf("%d decisions before %s and %d after, of %d", before.Decisions, middle, after.Decisions, all.Decisions)
	}
	if !before.Whole() || !after.Whole() || before.Events != all.Events {
		t.Errorf("found %v and %v", before.Findings, after.Findings)
	}
	h.find(t, "PersonAttached", 0).Body[0] ^= 1
	if out := verify(t, h, Options{From: middle.AddDate(1, 0, 0)}); out.Whole() {
		t.Error("what was changed outside the window is not found")
	}
}

// Each row: what somebody does to the stored log, and everything that verifying
// says about it: where, and what.
func TestTampering(t *testing.T) {
	t.Parallel()
	const inLedger, inIntake = ledger.StreamLedger, ledger.StreamIntake
	found := func(stream string, seq uint64, what string) Finding { return Finding{stream, seq, what} }
	// broken is what follows from a record that is not the one that was written:
	// its subject's next does not follow, and no later checkpoint fits.
	broken := func(t *testing.T, h *history, r *ledger.Record) []Finding {
		out := []Finding{found(inLedger, h.next(t, r), fmt.Sprintf("it does not follow record %d of its subject", r.Seq))}
		for _, size := range h.sizes(t, inLedger, r.Seq) {
			out = append(out, found(inLedger, size, fmt.Sprintf("the first %d records do not fit the checkpoint that was signed over them", size)))
		}
		return out
	}
	remove := func(h *history, stream string, seq uint64) {
		h.records[stream] = slices.DeleteFunc(h.records[stream], func(r *ledger.Record) bool { return r.Seq == seq })
	}
	citing := func(t *testing.T, h *history, intake uint64) []Finding {
		var out []Finding
		for _, r := range h.records[inLedger] {
			e, err := r.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if _, again := e.Body.(*intakev1.TouchJoined); again {
				// The lead's own event of the same batch cites it.
				continue
			}
			if d, ok := e.Body.(interface{ GetDelivery() *leadv1.DeliveryRef }); ok && d.GetDelivery().GetSequence() == intake {
				out = append(out, found(inLedger, r.Seq, fmt.Sprintf("it cites the delivery at place %d of INTAKE record %d, which is not there", d.GetDelivery().GetIndex(), intake)))
			}
		}
		return out
	}
	// poolOf is the pool's record of the same decision: it cannot follow from one
	// that cannot.
	poolOf := func(t *testing.T, h *history, r *ledger.Record) *ledger.Record {
		for _, p := range h.records[inLedger][r.Seq:] {
			if kind(p) == "PoolAdvanced" && header(p, "ce-basis") == header(r, "ce-basis") {
				return p
			}
		}
		t.Fatalf("record %d has no step of its pool", r.Seq)
		return nil
	}
	steps := func(t *testing.T, h *history, r *ledger.Record) Finding {
		return found(inLedger, poolOf(t, h, r).Seq, "the decision baton.routing.v1.PoolAdvanced cannot be derived again: it differs from what the log gives in: steps")
	}
	tests := map[string]func(t *testing.T, h *history) []Finding{
		"a byte of a body": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			r.Body[len(r.Body)-1] ^= 1
			return append(broken(t, h, r), found(inLedger, r.Seq, "the signature of intake does not fit"))
		},
		"a header": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			set(r, "ce-actor", "eve")
			return append(broken(t, h, r), found(inLedger, r.Seq, "the signature of intake does not fit"))
		},
		"a header more": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			set(r, "ce-comment", "hello")
			return append(broken(t, h, r), found(inLedger, r.Seq, "the signature of intake does not fit"))
		},
		"the subject": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			want := append(broken(t, h, r)[1:], found(inLedger, r.Seq, "the signature of intake does not fit"), found(inLedger, r.Seq, "it is not the first of its subject, but none before it can be read"))
			want = append(want, found(inLedger, h.next(t, r), "it does not follow record"))
			r.Subject = "lead.somebodyelse"
			return want
		},
		"the signature of another record": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			set(r, "ce-signature", header(h.find(t, "PersonAttached", 21), "ce-signature"))
			return append(broken(t, h, r), found(inLedger, r.Seq, "the signature of intake does not fit"))
		},
		"no signature": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			delete(r.Header, "ce-signature")
			return append(broken(t, h, r), found(inLedger, r.Seq, "the signature of intake does not fit"))
		},
		"the writer": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			set(r, "ce-source", "/baton/routing")
			h.sign(t, r)
			return append(broken(t, h, r), found(inLedger, r.Seq, "routing may not write baton.lead.v1.PersonAttached"))
		},
		"a writer that there is not": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			set(r, "ce-source", "/baton/eve")
			return append(broken(t, h, r), found(inLedger, r.Seq, `names the service "eve", which has no key in this log`))
		},
		"the previous hash is gone": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			delete(r.Header, "ce-prevhash")
			e := h.next(t, r)
			return []Finding{found(inLedger, r.Seq, "the hash of the previous event cannot be read"), found(inLedger, e, "it does not follow record")}
		},
		"a type that nobody knows": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			set(r, "ce-type", "baton.lead.v9.PersonAttached")
			return []Finding{found(inLedger, r.Seq, "the type cannot be read"), found(inLedger, h.next(t, r), "it does not follow record")}
		},
		"a record is gone": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			next := h.next(t, r)
			remove(h, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq+1, fmt.Sprintf("it stands where record %d belongs", r.Seq)), found(inLedger, next, "it does not follow record")}
		},
		"a record cannot be read": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			h.unreadable[r.Seq] = "planted"
			return []Finding{found(inLedger, r.Seq, "the record cannot be read: planted; it was changed or cut on disk"), found(inLedger, h.next(t, r), "it does not follow record")}
		},
		"two records of different subjects changed places": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			records := h.records[inLedger]
			if records[r.Seq].Subject == r.Subject {
				t.Fatal("the record after it is of the same subject")
			}
			a, b := *records[r.Seq-1], *records[r.Seq]
			a.Seq, b.Seq = b.Seq, a.Seq
			records[r.Seq-1], records[r.Seq] = &b, &a
			return broken(t, h, r)[1:]
		},
		"two records of one subject changed places": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			records := h.records[inLedger]
			before := records[r.Seq-2]
			if before.Subject != r.Subject {
				t.Fatal("the record before it is of another subject")
			}
			a, b := *before, *r
			a.Seq, b.Seq = b.Seq, a.Seq
			records[r.Seq-2], records[r.Seq-1] = &b, &a
			want := []Finding{
				found(inLedger, r.Seq-1, "it is not the first of its subject, but none before it can be read"), found(inLedger, r.Seq, fmt.Sprintf("it does not follow record %d of its subject", r.Seq-1)),
			}
			return append(want, broken(t, h, &a)...)
		},
		"the end was cut off": func(_ *testing.T, h *history) []Finding {
			n := uint64(len(h.records[inLedger]))
			remove(h, inLedger, n)
			return []Finding{found(inLedger, n-1, fmt.Sprintf("the stream ends at record %d, but a signed checkpoint speaks of %d", n-1, n))}
		},
		"the end was cut off, and its checkpoints inside": func(t *testing.T, h *history) []Finding {
			sizes := h.sizes(t, inLedger, 1)
			keep, n := sizes[len(sizes)-2], sizes[len(sizes)-1]
			h.records[inLedger] = h.records[inLedger][:keep]
			h.notes[inLedger] = h.notes[inLedger][:len(sizes)-1]
			return []Finding{found(inLedger, keep, fmt.Sprintf("the stream ends at record %d, but a signed checkpoint speaks of %d: its end was cut off", keep, n))}
		},
		"a record of INTAKE is gone": func(t *testing.T, h *history) []Finding {
			remove(h, inIntake, 5)
			return append(citing(t, h, 5), found(inIntake, 6, "it stands where record 5 belongs"))
		},
		"the end of INTAKE is gone, and its checkpoints": func(t *testing.T, h *history) []Finding {
			sizes := h.sizes(t, inIntake, 1)
			keep := sizes[len(sizes)-2]
			var want []Finding
			for seq := keep + 1; seq <= uint64(len(h.records[inIntake])); seq++ {
				want = append(want, citing(t, h, seq)...)
			}
			h.records[inIntake] = h.records[inIntake][:keep]
			h.notes[inIntake] = h.notes[inIntake][:len(sizes)-1]
			h.outside[inIntake] = h.notes[inIntake][len(sizes)-2]
			return want
		},
		"a delivery was changed by somebody with every key": func(t *testing.T, h *history) []Finding {
			r := h.records[inIntake][4]
			change(t, r, func(in *intakev1.IntakeRecord) { in.GetDeliveries()[0].Digest = make([]byte, 32) })
			h.forge(t, inIntake, 5)
			return []Finding{found(inIntake, 5, "the delivery at place 0 is not the one that LEDGER cites")}
		},
		"a delivery has no outcome": func(t *testing.T, h *history) []Finding {
			// Another delivery is cited twice instead.
			r := h.find(t, "LeadReceived", 20)
			var missed uint64
			change(t, r, func(in *leadv1.LeadReceived) {
				missed = in.GetDelivery().GetSequence()
				other, err := h.find(t, "LeadReceived", 21).Decode()
				if err != nil {
					t.Fatal(err)
				}
				in.Delivery = other.Body.(*leadv1.LeadReceived).GetDelivery()
			})
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inIntake, missed, "a delivery has no outcome, although later ones have")}
		},
		"a body of INTAKE": func(t *testing.T, h *history) []Finding {
			r := h.records[inIntake][4]
			change(t, r, func(in *intakev1.IntakeRecord) { in.GetDeliveries()[0].SourceId = "other" })
			want := []Finding{found(inIntake, 5, "the signature of intake does not fit")}
			for _, size := range h.sizes(t, inIntake, 5) {
				want = append(want, found(inIntake, size, "do not fit the checkpoint that was signed over them"))
			}
			return want
		},
		"a checkpoint's root": func(_ *testing.T, h *history) []Finding {
			lines := strings.Split(h.notes[inLedger][0], "\n")
			lines[2] = base64.StdEncoding.EncodeToString(make([]byte, 32))
			h.notes[inLedger][0] = strings.Join(lines, "\n")
			return []Finding{found(inLedger, 0, "a checkpoint of LEDGER is not signed by this log's key")}
		},
		"a checkpoint of another stream": func(_ *testing.T, h *history) []Finding {
			h.notes[inIntake][0] = h.notes[inLedger][0]
			return []Finding{found(inIntake, 0, "a checkpoint speaks of another log or stream than INTAKE of this one")}
		},
		"a checkpoint signed with the right key over another tree": func(t *testing.T, h *history) []Finding {
			lines := strings.Split(h.notes[inLedger][0], "\n")
			h.notes[inLedger][0] = h.note(t, strings.Join([]string{lines[0], lines[1], base64.StdEncoding.EncodeToString(make([]byte, 32)), ""}, "\n"), h.keys["audit"])
			size := h.sizes(t, inLedger, 0)[0]
			return []Finding{found(inLedger, size, fmt.Sprintf("the first %d records do not fit", size))}
		},
		"every checkpoint, under another key": func(t *testing.T, h *history) []Finding {
			_, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, stream := range []string{inLedger, inIntake} {
				forged := func(text string) string {
					lines := strings.Split(text, "\n")
					return h.note(t, strings.Join(lines[:3], "\n")+"\n", key)
				}
				for i, text := range h.notes[stream] {
					h.notes[stream][i] = forged(text)
				}
				h.outside[stream] = forged(h.outside[stream])
			}
			if h.verifier, err = ledger.Verifier(strings.TrimPrefix(strings.SplitN(h.verifier, "+", 2)[0], "baton/"), key.Public().(ed25519.PublicKey)); err != nil {
				t.Fatal(err)
			}
			return []Finding{
				found(inLedger, 1, "the checkpoints of LEDGER are signed by another key than the one that the log's first record names"),
				found(inLedger, 1, "the checkpoints of INTAKE are signed by another key than the one that the log's first record names"),
			}
		},
		"a qualification, by somebody with every key": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "LeadQualified", 10)
			change(t, r, func(in *leadv1.LeadQualified) { in.Explanation.Points++ })
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, "the decision baton.lead.v1.LeadQualified cannot be derived again: it differs from what the log gives")}
		},
		"a nurture, by somebody with every key": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "LeadNurtured", 5)
			change(t, r, func(in *leadv1.LeadNurtured) { in.RecheckAt = nil })
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, "the decision baton.lead.v1.LeadNurtured cannot be derived again: it differs from what the log gives")}
		},
		"an offer's sentence, by somebody with every key": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "LeadOffered", 10)
			change(t, r, func(in *leadv1.LeadOffered) { in.Summary = "Because she asked first." })
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, "the decision baton.lead.v1.LeadOffered cannot be derived again: it differs from what the log gives in: summary")}
		},
		"an offer to somebody else, by somebody with every key": func(t *testing.T, h *history) []Finding {
			// The last offer, in both of its places: what follows from it is not here.
			r := h.find(t, "LeadOffered", -1)
			var to, id string
			change(t, r, func(in *leadv1.LeadOffered) {
				id = strings.TrimPrefix(r.Subject, "lead.")
				to = map[string]string{"ana": "ben", "ben": "ana", "chloe": "dan", "dan": "chloe"}[in.GetMember()]
				in.Member = to
			})
			pool := poolOf(t, h, r)
			change(t, pool, func(in *routingv1.PoolAdvanced) {
				for _, step := range in.GetSteps() {
					if step.GetLeadId() == id && step.GetKind() == routingv1.StepKind_STEP_KIND_OFFERED {
						step.Member = to
					}
				}
			})
			h.forge(t, inLedger, r.Seq)
			// Only these two: what comes after is dropped, checkpoints and all.
			h.records[inLedger] = h.records[inLedger][:pool.Seq]
			for i := 0; i < len(h.notes[inLedger]); i++ {
				if h.sizes(t, inLedger, 0)[i] > pool.Seq {
					h.notes[inLedger] = h.notes[inLedger][:i]
				}
			}
			h.outside[inLedger] = h.notes[inLedger][0]
			return []Finding{
				found(inLedger, r.Seq, "the decision baton.lead.v1.LeadOffered cannot be derived again: it differs from what the log gives in: member"),
				steps(t, h, r),
			}
		},
		"a time-out that was none, by somebody with every key": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "OfferTimedOut", 2)
			change(t, r, func(in *leadv1.OfferTimedOut) { in.FiredAt.Seconds++ })
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, "cannot be derived again: it differs from what the log gives in: fired_at")}
		},
		"an acceptance by somebody to whom it was not offered": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "OfferAccepted", 5)
			change(t, r, func(in *leadv1.OfferAccepted) { in.Member = "eve" })
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, "the decision baton.lead.v1.OfferAccepted cannot be derived again: the lead is offered to"), steps(t, h, r)}
		},
		"a consequence that was not agreed": func(t *testing.T, h *history) []Finding {
			// One that went back to marketing is to be out instead: then nothing was
			// left for qualification to say.
			var r *ledger.Record
			for n := 0; r == nil; n++ {
				one := h.find(t, "OfferRejected", n)
				e, err := one.Decode()
				if err != nil {
					t.Fatal(err)
				}
				if e.Body.(*leadv1.OfferRejected).GetConsequence() == leadv1.Consequence_CONSEQUENCE_NURTURE {
					r = one
				}
			}
			change(t, r, func(in *leadv1.OfferRejected) { in.Consequence = leadv1.Consequence_CONSEQUENCE_DISQUALIFY })
			h.forge(t, inLedger, r.Seq)
			return []Finding{
				found(inLedger, r.Seq, "the decision baton.lead.v1.OfferRejected cannot be derived again: the reason does not lead there by the agreement in force"),
				steps(t, h, r),
				found(inLedger, h.next(t, r), "the decision baton.lead.v1.LeadNurtured cannot be derived again: nothing was due on the lead"),
			}
		},
		"a logic that this program does not have": func(t *testing.T, h *history) []Finding {
			r, q := h.find(t, "LeadOffered", 10), h.find(t, "LeadQualified", 10)
			set(r, "ce-logicversion", "routing/9")
			set(q, "ce-logicversion", "qualification/9")
			h.forge(t, inLedger, min(r.Seq, q.Seq))
			return []Finding{
				found(inLedger, r.Seq, `the logic "routing/9" is not one that this version of Baton can run`),
				steps(t, h, r),
				found(inLedger, q.Seq, `the logic "qualification/9" is not one that this version of Baton can run`),
			}
		},
		"a decision that rests on what came later": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "LeadQualified", 10)
			set(r, "ce-basis", fmt.Sprint(r.Seq))
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, fmt.Sprintf("its basis %d does not lie before it", r.Seq))}
		},
		"a record that says it was known before the one before it": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "PersonAttached", 20)
			e, err := r.Decode()
			if err != nil {
				t.Fatal(err)
			}
			set(r, "ce-recordedtime", e.Recorded.Add(-time.Hour).Format(time.RFC3339Nano))
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, fmt.Sprintf("its recorded time lies before that of record %d of its subject", r.Seq-1))}
		},
		"a party's signature under the agreement": func(t *testing.T, h *history) []Finding {
			r := h.find(t, "AgreementSigned", 1)
			change(t, r, func(in *agreementv1.AgreementSigned) { in.Signature[0] ^= 1 })
			h.forge(t, inLedger, r.Seq)
			return []Finding{found(inLedger, r.Seq, "the signature of sales under the agreement does not fit")}
		},
		"a record of INTAKE that is something else": func(t *testing.T, h *history) []Finding {
			r := h.records[inIntake][4]
			body, err := proto.Marshal(&intakev1.DeliveryRefused{})
			if err != nil {
				t.Fatal(err)
			}
			r.Body = body
			set(r, "ce-type", "baton.intake.v1.DeliveryRefused")
			h.forge(t, inIntake, 5)
			return []Finding{found(inIntake, 5, "it is a baton.intake.v1.DeliveryRefused, not a record of deliveries")}
		},
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := golden(t)
			want := tamper(t, h)
			got := verify(t, h, Options{})
			if got.Whole() {
				t.Fatal("nothing was found")
			}
			left := slices.Clone(got.Findings)
			// What is found beyond the most that is listed is counted.
			unlisted := got.More
			for _, w := range want {
				i := slices.IndexFunc(left, func(f Finding) bool {
					return f.Stream == w.Stream && f.Seq == w.Seq && strings.Contains(f.What, w.What)
				})
				if i < 0 && unlisted > 0 {
					unlisted--
					continue
				}
				if i < 0 {
					t.Errorf("not found: %s %d: %s", w.Stream, w.Seq, w.What)
					continue
				}
				left = slices.Delete(left, i, i+1)
			}
			for _, f := range left {
				t.Errorf("found besides: %s %d: %s", f.Stream, f.Seq, f.What)
			}
			if unlisted > 0 {
				t.Errorf("%d more are counted than there are", unlisted)
			}
		})
	}
}

// A log that is damaged all over says so, and not without end.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	h := golden(t)
	for _, r := range h.records[ledger.StreamLedger] {
		delete(r.Header, "ce-signature")
	}
	out := verify(t, h, Options{})
	if len(out.Findings) != mostFindings || out.More == 0 || out.Whole() {
		t.Errorf("%d findings and %d more", len(out.Findings), out.More)
	}
	if empty := verify(t, &history{verifier: h.verifier}, Options{}); !empty.Whole() || empty.Events != 0 {
		t.Errorf("of an empty log: %+v", empty)
	}
}

// The tree on the way keeps only its right edge, however long the stream, and
// compares every root that was promised.
func TestRightEdge(t *testing.T) {
	t.Parallel()
	const n = 5000
	var all tree
	roots := map[int64]tlog.Hash{}
	records := make([]*ledger.Record, n)
	for i := range int64(n) {
		records[i] = &ledger.Record{Seq: uint64(i) + 1, Subject: fmt.Sprintf("lead.l%d", i), Header: map[string][]string{"ce-id": {fmt.Sprint(i)}}}
		more, err := tlog.StoredHashes(i, records[i].Leaf(), all)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
		if i%37 == 0 || i%1024 <= 1 || i == n-1 {
			if roots[i+1], err = tlog.TreeHash(i+1, all); err != nil {
				t.Fatal(err)
			}
		}
	}
	head := &headTree{expect: roots}
	for _, r := range records {
		for _, problem := range head.add(r.Seq, tlog.RecordHash(r.Leaf())) {
			t.Fatalf("record %d: %s", r.Seq, problem)
		}
		if len(head.hashes) > 4096 {
			t.Fatalf("after %d records it keeps %d hashes", r.Seq, len(head.hashes))
		}
	}
	roots[n] = tlog.Hash{1}
	again := &headTree{expect: roots}
	var problems []string
	for _, r := range records {
		problems = append(problems, again.add(r.Seq, tlog.RecordHash(r.Leaf()))...)
	}
	if len(problems) != 1 || !strings.Contains(problems[0], fmt.Sprintf("the first %d records do not fit", n)) {
		t.Errorf("said %v", problems)
	}
}
