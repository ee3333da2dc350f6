package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

const canary = "canary@person.example"

// unruled breaks its contract: no rule is named.
func unruled() *leadv1.QualificationHeld { return &leadv1.QualificationHeld{Text: canary} }

// careless says about one lead what no contract allows.
type careless struct{ echo }

func (d *careless) Decide(v *View, items []*Item) ([]Draft, error) {
	drafts, err := d.echo.Decide(v, items)
	for i := range drafts {
		if drafts[i].Subject == "lead.bad" {
			drafts[i].Body = unruled()
		}
	}
	return drafts, err
}

// What breaks its contract is set aside, and its neighbours go on.
//
// Goes red if: Say does not check what it writes.
func TestWhatBreaksItsContractIsSetAside(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a"), received("bad"), received("b")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	desk, err := l.Desk(ctx, &careless{}, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Settle(ctx, desk.Idle); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if got := said(t, l, id); len(got) != 2 || got[1].Type != "baton.lead.v1.QualificationHeld" {
			t.Errorf("beside a lead that was set aside, %s has %d events", id, len(got))
		}
	}
	got := said(t, l, "bad")
	if len(got) != 2 {
		t.Fatalf("the lead that was set aside has %d events", len(got))
	}
	letter, ok := got[1].Body.(*leadv1.HandlingFailed)
	if !ok || letter.GetFault() != "invalid" {
		t.Fatalf("it ends with %v", got[1].Body)
	}
	for _, want := range []string{"baton.lead.v1.QualificationHeld", "rule", "string.min_len"} {
		if !strings.Contains(letter.GetText(), want) {
			t.Errorf("the dead letter does not name %s: %s", want, letter.GetText())
		}
	}
	if strings.Contains(letter.GetText(), canary) {
		t.Errorf("the dead letter holds what the event held: %s", letter.GetText())
	}
	stop()
	<-desk.Stopped()
}

func said(t *testing.T, l *Ledger, id string) []*Event {
	t.Helper()
	events, err := l.History(t.Context(), lead.SubjectOf(id))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// Goes red if: the events before the one that breaks its contract are written.
func TestNothingOfABatchThatBreaksAContractStands(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	if err := l.follower.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	held := Draft{Subject: "lead.a", Cause: "x", Body: &leadv1.QualificationHeld{Rule: "test", Text: "held by a test"}}
	_, err := l.Say(t.Context(), "qualification", l.live, noon, held, Draft{Subject: "lead.b", Cause: "y", Body: unruled()})
	if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), canary) {
		t.Errorf("a batch with an event that breaks its contract was answered with %v", err)
	}
	if last, err := l.Last(t.Context(), StreamLedger); err != nil || last != 2 {
		t.Errorf("the log ends at %d, %v", last, err)
	}
}

// A delivery that breaks its contract is not kept, and its sender comes again.
func TestDoorKeepsOnlyWhatItsContractAllows(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	short := delivery("d1")
	short.Digest = short.GetDigest()[:31]
	if err := door.Keep(t.Context(), short); !fault.Is(err, fault.Unknown) || !strings.Contains(err.Error(), "digest") {
		t.Errorf("a delivery without a whole digest was answered with %v", err)
	}
	if err := door.Keep(t.Context(), delivery("d1")); err != nil {
		t.Error(err)
	}
}

// What the check costs an event. The group has 50 people; a batch of routing
// advances it by 75 leads.
func BenchmarkContract(b *testing.B) {
	at := timestamppb.New(noon)
	offered := &leadv1.LeadOffered{AgreementVersion: 1, Pool: "inside", Group: "sales", Member: "m1", Offer: 1, TakeBy: at, Rule: "r", Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Summary: "because"}
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: "l1", Pool: "inside", Member: "m1", Turn: leadv1.TurnKind_TURN_KIND_ROTATION, TakeBy: at, Offer: 1}
	for i := range 50 {
		m := fmt.Sprintf("member-%d", i)
		offered.Considered = append(offered.Considered, &leadv1.Candidate{Member: m, Eligible: true, Load: 3, Capacity: 20, Turns: 4, Weight: 1, WindowFrom: 1, WindowTo: 3})
		step.Eligible, step.Weights = append(step.Eligible, m), append(step.Weights, 1)
	}
	advanced := &routingv1.PoolAdvanced{}
	for range 75 {
		advanced.Steps = append(advanced.Steps, step)
	}
	for _, c := range []struct {
		name string
		body proto.Message
	}{
		{"LeadReceived", &leadv1.LeadReceived{
			SourceId: "s", Source: "web", SubmissionId: "u1", ReceivedAt: at, BodyMac: make([]byte, 32),
			Personal: &leadv1.Sealed{KeyId: "k", Nonce: make([]byte, 12), Ciphertext: make([]byte, 300), Commitment: make([]byte, 32)},
			Delivery: &leadv1.DeliveryRef{DeliveryId: "d1", Sequence: 4, Digest: make([]byte, 32)},
			Features: &leadv1.Features{
				Country: "DE", Employees: 80, Industry: "machines", Role: "head", Language: "de", HasEmail: true,
				Attribution: &leadv1.Attribution{Source: "web", Medium: "cpc", Campaign: "spring"},
				Answers:     map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Number{Number: 3}}},
			},
		}},
		{"LeadOffered", offered},
		{"PoolAdvanced/1 lead", &routingv1.PoolAdvanced{Steps: advanced.GetSteps()[:1]}},
		{"PoolAdvanced/75 leads", advanced},
		{"Delivery", delivery("d1")},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := keeps(fault.Invalid, c.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
