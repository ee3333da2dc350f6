package score

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// writer is who says what becomes of the score: it is signed like the agreement
// and by the same keys, so the same service keeps it.
const writer = agreement.Name

// Server answers baton.score.v1.ScoreService, and trains again when it is time.
type Server struct {
	scorev1.UnimplementedScoreServiceServer
	Log        *ledger.Ledger
	Register   *Register
	Recent     *Recent
	Agreements *agreement.Register
	Logger     *slog.Logger

	// waits is the instant that Keep waits for, in nanoseconds.
	waits atomic.Int64
}

// Train learns from the leads in the log whose outcome is known.
func (s *Server) Train(ctx context.Context, req *scorev1.TrainRequest) (*scorev1.Score, error) {
	actor, _ := access.From(ctx)
	cause := ""
	if req.GetIdempotencyKey() != "" {
		cause = fmt.Sprintf("train:%s:%s", actor.Handle, req.GetIdempotencyKey())
	}
	// What was begun is finished: a long log takes longer than some callers wait.
	number, err := s.train(context.WithoutCancel(ctx), req.GetLabel(), req.GetWithout(), actor.Handle, cause, func(time.Time) bool { return true })
	if err != nil {
		return nil, err
	}
	return s.show(number)
}

// train reads the log, learns and says what came of it, if at that instant it is
// still wanted.
func (s *Server) train(ctx context.Context, label scorev1.Label, without []string, actor, cause string, wanted func(time.Time) bool) (number int64, err error) {
	if label == scorev1.Label_LABEL_UNSPECIFIED {
		label = scorev1.Label_LABEL_WON
	}
	s.Log.Follower().View(func(*ledger.View) { number = s.Register.by(cause) })
	if number != 0 {
		return number, nil
	}
	known, basis, err := s.read(ctx, label)
	if err != nil {
		return 0, err
	}
	var questions map[string]string
	s.Log.Follower().View(func(v *ledger.View) { questions = s.questions(v.Now) })
	model := Train(known, Options{Number: 1, Label: label, Without: without, Questions: questions})
	model.Basis = basis
	_, err = s.Log.Write(ctx, writer, func(v *ledger.View) ([]ledger.Draft, error) {
		if number = s.Register.by(cause); number != 0 || !wanted(v.Now) {
			return nil, nil
		}
		number = int64(len(s.Register.trainings)) + 1
		model.Number = number
		digest, from := Digest(model), cause
		if from == "" {
			from = fmt.Sprintf("train:%d", number)
		}
		return []ledger.Draft{{
			Subject: Subject, Actor: actor, Cause: from, Correlation: "score", Body: &scorev1.ScoreTrained{Model: model, Digest: digest[:]},
		}}, nil
	})
	return number, err
}

// read folds the log into the leads whose outcome is known.
func (s *Server) read(ctx context.Context, label scorev1.Label) (known []Known, basis uint64, err error) {
	if basis, err = s.Log.Last(ctx, ledger.StreamLedger); err != nil {
		return nil, 0, err
	}
	var h History
	err = s.Log.Read(ctx, ledger.StreamLedger, 1, basis, func(r *ledger.Record) error {
		id, ok := lead.FromSubject(r.Subject)
		if !ok {
			return nil
		}
		e, err := r.Decode()
		if err != nil {
			return err
		}
		h.Apply(id, e.Body, e.Occurred, e.Recorded)
		return nil
	}, func(seq uint64, why string) error {
		return fault.New(fault.Corrupt, "record %d of the log cannot be read, so nothing is learned from it: %s", seq, why)
	})
	return h.Known(label), basis, err
}

// questions are the words of answers in the agreement in force.
func (s *Server) questions(now time.Time) map[string]string {
	out := map[string]string{}
	if version := s.Agreements.InForce(now); version != nil {
		for _, q := range version.Agreement.Answers() {
			out[q.ID] = q.Text
		}
	}
	return out
}

// Sign adds one party's signature, by the key that the agreement in force names.
func (s *Server) Sign(ctx context.Context, req *scorev1.SignRequest) (*scorev1.Score, error) {
	actor, _ := access.From(ctx)
	_, err := s.Log.Write(ctx, writer, func(v *ledger.View) ([]ledger.Draft, error) {
		t, err := s.training(req.GetModel())
		if err != nil {
			return nil, err
		}
		if t.Model.GetVerdict() != scorev1.Verdict_VERDICT_USABLE {
			return nil, fault.New(fault.State, "model %d cannot be used, so there is nothing to sign. %s", req.GetModel(), t.Model.GetSummary())
		}
		if t.SignedBy(req.GetParty()) {
			return nil, nil
		}
		if !bytes.Equal(t.Digest, req.GetDigest()) {
			return nil, fault.New(fault.Conflict, "what was signed is not model %d; read it again with baton score show %d", req.GetModel(), req.GetModel())
		}
		version := s.Agreements.InForce(v.Now)
		if version == nil {
			return nil, fault.New(fault.State, "no agreement is in force, so nothing says whose key signs for %s", req.GetParty())
		}
		if err := version.Agreement.Verify(req.GetParty(), Signed, t.Digest, req.GetPublicKey(), req.GetSignature()); err != nil {
			return nil, err
		}
		return []ledger.Draft{{
			Subject: Subject, Actor: actor.Handle, Cause: fmt.Sprintf("score-sign:%d:%s", req.GetModel(), req.GetParty()), Correlation: "score", Agreement: version.Number,
			Body: &scorev1.ScoreSigned{Model: req.GetModel(), Digest: t.Digest, Party: req.GetParty(), PublicKey: req.GetPublicKey(), Signature: req.GetSignature()},
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.show(req.GetModel())
}

// Switch puts a model in force, or out of it.
func (s *Server) Switch(ctx context.Context, req *scorev1.SwitchRequest) (*scorev1.Score, error) {
	actor, _ := access.From(ctx)
	_, err := s.Log.Write(ctx, writer, func(v *ledger.View) ([]ledger.Draft, error) {
		t, err := s.training(req.GetModel())
		if err != nil {
			return nil, err
		}
		if now, _ := s.Register.InForce(v.Now); (now == t) == req.GetOn() {
			return nil, nil
		}
		if req.GetOn() && t.Model.GetVerdict() != scorev1.Verdict_VERDICT_USABLE {
			return nil, fault.New(fault.State, "model %d cannot be switched on. %s", req.GetModel(), t.Model.GetSummary())
		}
		if req.GetOn() && !t.Agreed() {
			return nil, fault.New(fault.State, "model %d cannot be switched on before marketing and sales have both signed it", req.GetModel())
		}
		return []ledger.Draft{{
			Subject: Subject, Actor: actor.Handle, Cause: fmt.Sprintf("score-switch:%d", len(s.Register.switches)+1), Correlation: "score",
			Body: &scorev1.ScoreSwitched{Model: req.GetModel(), On: req.GetOn()},
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.show(req.GetModel())
}

func (s *Server) training(number int64) (*Training, error) {
	if t := s.Register.Training(number); t != nil {
		return t, nil
	}
	return nil, fault.New(fault.NotFound, "there is no model %d of the score; baton score list shows what there is", number)
}

// wanted is a model by its number; 0 = the one in force at that instant.
func (s *Server) wanted(number int64, now time.Time) (*Training, error) {
	if number != 0 {
		return s.training(number)
	}
	if t, _ := s.Register.InForce(now); t != nil {
		return t, nil
	}
	return nil, fault.New(fault.NotFound, "no score is in force; baton score list shows what there is")
}

// GetScore shows one model, or the one in force.
func (s *Server) GetScore(_ context.Context, req *scorev1.GetScoreRequest) (*scorev1.Score, error) {
	return s.show(req.GetModel())
}

func (s *Server) show(number int64) (out *scorev1.Score, err error) {
	s.Log.Follower().View(func(v *ledger.View) {
		var t *Training
		if t, err = s.wanted(number, v.Now); err != nil {
			return
		}
		out = s.shown(t, v.Now)
		out.Model = t.Model
		out.Drift = Drift(t.Model, s.Recent.last)
	})
	return out, err
}

func (s *Server) shown(t *Training, now time.Time) *scorev1.Score {
	out := &scorev1.Score{Digest: t.Digest, TrainedAt: timestamppb.New(t.At), TrainedBy: t.By}
	for _, sig := range t.Signatures {
		out.Signatures = append(out.Signatures, &scorev1.Signature{Party: sig.Party, SignedAt: timestamppb.New(sig.At), Actor: sig.Actor, PublicKey: sig.PublicKey})
	}
	if current, since := s.Register.InForce(now); current == t {
		out.InForceSince = timestamppb.New(since)
	}
	if due := s.Register.Due(); !due.IsZero() {
		out.NextTraining = timestamppb.New(due)
	}
	return out
}

// ListScores lists all models, newest first, without their tables.
func (s *Server) ListScores(_ context.Context, req *scorev1.ListScoresRequest) (*scorev1.ListScoresResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	before := int64(0)
	if req.GetPageToken() != "" {
		var err error
		if before, err = strconv.ParseInt(req.GetPageToken(), 10, 64); err != nil {
			return nil, fault.New(fault.Invalid, "the page token is not one of ours")
		}
	}
	out := &scorev1.ListScoresResponse{}
	s.Log.Follower().View(func(v *ledger.View) {
		for _, t := range slices.Backward(s.Register.Trainings()) {
			m := t.Model
			if before != 0 && m.GetNumber() >= before {
				continue
			}
			if len(out.Scores) == size {
				out.NextPageToken = strconv.FormatInt(m.GetNumber()+1, 10)
				return
			}
			shown := s.shown(t, v.Now)
			shown.Model = &scorev1.Model{Number: m.GetNumber(), Label: m.GetLabel(), Verdict: m.GetVerdict(), Summary: m.GetSummary(), Basis: m.GetBasis(), Slices: m.GetSlices(), Auc: m.GetAuc()}
			out.Scores = append(out.Scores, shown)
		}
	})
	return out, nil
}

// ScoreLead says what a model makes of one lead as it is known now.
func (s *Server) ScoreLead(_ context.Context, req *scorev1.ScoreLeadRequest) (out *scorev1.ScoreLeadResponse, err error) {
	s.Log.Follower().View(func(v *ledger.View) {
		var t *Training
		if t, err = s.wanted(req.GetModel(), v.Now); err != nil {
			return
		}
		var l *lead.State
		if l, err = v.Lead(req.GetLeadId()); err != nil {
			return
		}
		switch {
		case l.ID == "":
			err = fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
		case t.Table == nil:
			err = fault.New(fault.State, "model %d scores nothing. %s", t.Model.GetNumber(), t.Model.GetSummary())
		default:
			score := t.Table.Explain(l.Features)
			out = &scorev1.ScoreLeadResponse{Score: score, Summary: sentence(t, score)}
		}
	})
	return out, err
}

// sentence says a score in words.
func sentence(t *Training, score *leadv1.Score) string {
	what := "is won"
	if t.Model.GetLabel() == scorev1.Label_LABEL_SQL {
		what = "becomes SQL"
	}
	s := fmt.Sprintf("Of 1000 leads like this, %d are expected to end so that the lead %s (model %d).", score.GetPerMille(), what, score.GetModel())
	if t.Model.GetVerdict() != scorev1.Verdict_VERDICT_USABLE {
		s += " Do not rely on it. " + t.Model.GetSummary()
	}
	return s
}

// ProposePoints compares the points of the agreement in force with points that
// the outcomes suggest.
func (s *Server) ProposePoints(ctx context.Context, req *scorev1.ProposePointsRequest) (*scorev1.ProposedPoints, error) {
	var version *agreement.Version
	s.Log.Follower().View(func(v *ledger.View) { version = s.Agreements.InForce(v.Now) })
	if version == nil {
		return nil, fault.New(fault.State, "no agreement is in force, so there are no points to compare with")
	}
	label := req.GetLabel()
	if label == scorev1.Label_LABEL_UNSPECIFIED {
		label = scorev1.Label_LABEL_WON
	}
	known, _, err := s.read(ctx, label)
	if err != nil {
		return nil, err
	}
	return Propose(known, version.Agreement, version.Number), nil
}
