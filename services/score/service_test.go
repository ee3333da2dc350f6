package score

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
)

// bench is the service on a log of its own, with an agreement in force.
type bench struct {
	*Server
	t     *testing.T
	clock *clock.Virtual
	ctx   context.Context
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, clock: clock.NewVirtual(january.AddDate(0, 6, 0)), ctx: access.With(t.Context(), access.Actor{Handle: "mia"})}
	b.Server = &Server{Register: &Register{}, Recent: &Recent{}, Agreements: &agreement.Register{}, Logger: slog.New(slog.DiscardHandler)}
	log, err := ledger.Open(t.Context(), ledger.Config{Dir: t.TempDir() + "/data", Name: "test", FreeFloor: 1, Clock: b.clock}, b.Register, b.Recent, b.Agreements)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	b.Log = log
	document := starter()
	digest := sha256.Sum256(document)
	b.write("agreement",
		ledger.Draft{Subject: agreement.Subject, Body: &agreementv1.AgreementProposed{Version: 1, Document: document, Digest: digest[:]}},
		ledger.Draft{Subject: agreement.Subject, Body: &agreementv1.AgreementSigned{
			Version: 1, Party: "sales", Digest: digest[:], PublicKey: public(2), Signature: ed25519.Sign(private(2), agreement.SignedText(digest[:])), InForceFrom: timestamppb.New(january),
		}})
	return b
}

func (b *bench) write(service string, drafts ...ledger.Draft) {
	b.t.Helper()
	for len(drafts) > 0 {
		n := min(len(drafts), 500)
		batch := drafts[:n]
		for i := range batch {
			batch[i].Cause = fmt.Sprintf("test:%s:%d", batch[i].Subject, i)
		}
		if _, err := b.Log.Write(b.ctx, service, func(*ledger.View) ([]ledger.Draft, error) { return batch, nil }); err != nil {
			b.t.Fatal(err)
		}
		drafts = drafts[n:]
	}
}

// happen lets leads come and end.
func (b *bench) happen(leads []Known) {
	b.t.Helper()
	var came, ended []ledger.Draft
	for _, k := range leads {
		kind := leadv1.OutcomeKind_OUTCOME_KIND_LOST
		if k.Yes {
			kind = leadv1.OutcomeKind_OUTCOME_KIND_WON
		}
		came = append(came, ledger.Draft{Subject: lead.SubjectOf(k.Lead), Body: &leadv1.LeadReceived{
			SourceId: "s", Source: "web", SubmissionId: k.Lead, ReceivedAt: timestamppb.New(k.At), Features: k.Features,
		}})
		ended = append(ended, ledger.Draft{Subject: lead.SubjectOf(k.Lead), Body: &leadv1.OutcomeRecorded{Kind: kind, Member: "ana"}})
	}
	b.write("intake", came...)
	b.write("feedback", ended...)
}

func signed(s *scorev1.Score, party string, seed byte) *scorev1.SignRequest {
	return &scorev1.SignRequest{
		Model: s.GetModel().GetNumber(), Party: party, Digest: s.GetDigest(), PublicKey: public(seed),
		Signature: ed25519.Sign(private(seed), agreement.SignedAs(Signed, s.GetDigest())),
	}
}

func (b *bench) refused(what string, kind fault.Kind, text string, err error) {
	b.t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), text) {
		b.t.Errorf("%s: %v; want %q", what, err, text)
	}
}

// The life of a score: nobody uses it before both have signed it and it was
// switched on, and what is shown is what was learned.
//
// Goes red if: one signature is enough, a foreign key signs, a signature under
// the agreement counts for a score, or switching needs no signatures.
func TestLife(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	leads, _ := invent(900, 51, known)
	b.happen(leads)

	_, err := b.GetScore(b.ctx, &scorev1.GetScoreRequest{})
	b.refused("before anything was learned", fault.NotFound, "no score is in force", err)
	s, err := b.Train(b.ctx, &scorev1.TrainRequest{IdempotencyKey: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	if m := s.GetModel(); m.GetNumber() != 1 || m.GetVerdict() != scorev1.Verdict_VERDICT_USABLE || m.GetBasis() == 0 || s.GetTrainedBy() != "mia" {
		t.Fatalf("learned %v", m.GetSummary())
	}
	// What the log learned is what anybody learns from the same leads.
	same := Train(leads, Options{Number: 1, Label: scorev1.Label_LABEL_WON, Questions: b.questions(b.clock.Now())})
	same.Basis = s.GetModel().GetBasis()
	if digest := Digest(same); !bytes.Equal(digest[:], s.GetDigest()) {
		t.Error("another model was learned from the log than from the leads")
	}
	if again, err := b.Train(b.ctx, &scorev1.TrainRequest{IdempotencyKey: "k1"}); err != nil || again.GetModel().GetNumber() != 1 {
		t.Errorf("the same asking trained model %d, %v", again.GetModel().GetNumber(), err)
	}
	field := same.GetFields()[len(same.GetFields())-1]
	if field.GetText() != "When do you want to start?" {
		t.Errorf("an answer is called %q", field.GetText())
	}

	on := func(model int64) error {
		_, err := b.Switch(b.ctx, &scorev1.SwitchRequest{Model: model, On: true})
		return err
	}
	b.refused("unsigned", fault.State, "both signed", on(1))
	sign := func(req *scorev1.SignRequest) error { _, err := b.Sign(b.ctx, req); return err }
	b.refused("a foreign key", fault.Denied, "not the key", sign(signed(s, "marketing", 3)))
	b.refused("the other party's key", fault.Denied, "not the key", sign(signed(s, "marketing", 2)))
	asAgreement := signed(s, "marketing", 1)
	asAgreement.Signature = ed25519.Sign(private(1), agreement.SignedText(s.GetDigest()))
	b.refused("signed as an agreement", fault.Denied, "does not fit", sign(asAgreement))
	other := signed(s, "marketing", 1)
	other.Digest = bytes.Repeat([]byte{1}, 32)
	b.refused("another table", fault.Conflict, "read it again", sign(other))
	for range 2 { // once more says nothing
		if err := sign(signed(s, "marketing", 1)); err != nil {
			t.Fatal(err)
		}
	}
	b.refused("one signature", fault.State, "both signed", on(1))
	if err := sign(signed(s, "sales", 2)); err != nil {
		t.Fatal(err)
	}
	if b.Register.Model(b.clock.Now()) != nil {
		t.Error("it is in force before it was switched on")
	}
	before := b.clock.Now()
	b.clock.Set(before.Add(time.Hour))
	if err := on(1); err != nil {
		t.Fatal(err)
	}
	if b.Register.Model(before) != nil || b.Register.Model(b.clock.Now()) == nil {
		t.Error("it is not in force from the moment on at which it was switched on")
	}
	got, err := b.ScoreLead(b.ctx, &scorev1.ScoreLeadRequest{LeadId: leads[3].Lead})
	if want := NewModel(s.GetModel()).Explain(leads[3].Features); err != nil || got.GetScore().GetTotal() != want.GetTotal() || !strings.Contains(got.GetSummary(), fmt.Sprintf("%d are expected", want.GetPerMille())) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	_, err = b.ScoreLead(b.ctx, &scorev1.ScoreLeadRequest{LeadId: "nobody"})
	b.refused("no lead", fault.NotFound, "there is no lead", err)
	if shown, err := b.GetScore(b.ctx, &scorev1.GetScoreRequest{}); err != nil || shown.GetInForceSince() == nil || len(shown.GetSignatures()) != 2 || shown.GetDrift().GetAlarm() || shown.GetDrift().GetLeads() != 900 {
		t.Errorf("shown is %v (drift %v), %v", shown.GetInForceSince(), shown.GetDrift().GetSummary(), err)
	}
	if _, err := b.Switch(b.ctx, &scorev1.SwitchRequest{Model: 1}); err != nil || b.Register.Model(b.clock.Now()) != nil {
		t.Errorf("it was switched off and is in force, %v", err)
	}
	if p, err := b.ProposePoints(b.ctx, &scorev1.ProposePointsRequest{}); err != nil || p.GetAgreementVersion() != 1 || p.GetSummary() == "" {
		t.Errorf("points: %v, %v", p, err)
	}
	if l, err := b.ListScores(b.ctx, &scorev1.ListScoresRequest{PageSize: 1}); err != nil || len(l.GetScores()) != 1 || l.GetNextPageToken() != "" || l.GetScores()[0].GetModel().GetFields() != nil {
		t.Errorf("listed %v, %v", l, err)
	}
}

// What is no better than chance can be neither signed nor switched on.
func TestChanceIsNotSigned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	leads, _ := invent(600, 52, none)
	b.happen(leads)
	s, err := b.Train(b.ctx, &scorev1.TrainRequest{})
	if err != nil || s.GetModel().GetVerdict() != scorev1.Verdict_VERDICT_CHANCE {
		t.Fatalf("%v, %v", s.GetModel().GetSummary(), err)
	}
	_, err = b.Sign(b.ctx, signed(s, "sales", 2))
	b.refused("signing", fault.State, "No better than chance", err)
	_, err = b.Switch(b.ctx, &scorev1.SwitchRequest{Model: 1, On: true})
	b.refused("switching", fault.State, "No better than chance", err)
	// Whoever wrote both into the log all the same is not followed.
	b.write(writer,
		ledger.Draft{Subject: Subject, Body: &scorev1.ScoreSigned{Model: 1, Party: "marketing", Digest: s.GetDigest(), PublicKey: public(1), Signature: signed(s, "marketing", 1).GetSignature()}},
		ledger.Draft{Subject: Subject, Body: &scorev1.ScoreSigned{Model: 1, Party: "sales", Digest: s.GetDigest(), PublicKey: public(2), Signature: signed(s, "sales", 2).GetSignature()}},
		ledger.Draft{Subject: Subject, Body: &scorev1.ScoreSwitched{Model: 1, On: true}})
	if b.Register.Model(b.clock.Now()) != nil {
		t.Error("what is no better than chance is in force")
	}
}

// Thirty days after the last training there is one more, by itself, as it was
// asked for then; before the first there is none.
func TestTrainsAgainWhenItIsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan struct{})
	go func() { defer close(kept); b.Keep(ctx) }()
	t.Cleanup(func() { cancel(); <-kept })
	trainings := func(want int) {
		t.Helper()
		if err := b.Log.Settle(t.Context(), b.Idle); err != nil {
			t.Fatal(err)
		}
		got := 0
		b.Log.Follower().View(func(*ledger.View) { got = len(b.Register.Trainings()) })
		if got != want {
			t.Fatalf("%d trainings, want %d", got, want)
		}
	}
	leads, _ := invent(600, 53, known)
	b.happen(leads)
	b.clock.Set(b.clock.Now().Add(2 * RetrainAfter))
	trainings(0)
	if _, err := b.Train(b.ctx, &scorev1.TrainRequest{Without: []string{"lead.country"}}); err != nil {
		t.Fatal(err)
	}
	trainings(1)
	b.clock.Set(b.clock.Now().Add(RetrainAfter - time.Second))
	trainings(1)
	b.clock.Set(b.clock.Now().Add(time.Second))
	trainings(2)
	b.clock.Set(b.clock.Now().Add(RetrainAfter))
	trainings(3)
	last := b.Register.Training(3)
	if last.By != "service:agreement" || last.Model.GetLabel() != scorev1.Label_LABEL_WON || last.Model.GetLeftOut()[0].GetField() != "lead.country" || !last.Model.GetLeftOut()[0].GetAsked() {
		t.Errorf("trained by %s, left out %v", last.By, last.Model.GetLeftOut())
	}
	if b.Register.Model(b.clock.Now()) != nil {
		t.Error("a training put itself in force")
	}
}
