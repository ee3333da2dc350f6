package intake

import (
	"context"
	"crypto/sha256"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Server answers baton.intake.v1.IntakeService.
type Server struct {
	intakev1.UnimplementedIntakeServiceServer
	Keep    Keeper
	Log     *ledger.Ledger
	Keys    *keys.Store
	Sources *Sources
	Clock   clock.Clock
	People  *People
	// Domains knows free and disposable providers; nil = the best known.
	Domains *Domains
	// Accounts are the companies that are known; nil = none are kept.
	Accounts *Accounts
	Touches  *Touches
	// Names are the ids that stand for one submission; nil = none do.
	Names *Names
	// Draining ends streams of submissions once what they brought is answered;
	// nil = never.
	Draining <-chan struct{}
	// Secrets resolves what signatures are checked with; for TestSource alone.
	Secrets SecretLookup
	// PublicURL is where senders reach the door; empty = nobody said.
	PublicURL string
	// Register is what both sides signed.
	Register *agreement.Register
	// Acknowledged counts what the door acknowledged, Tally what became of it.
	Acknowledged *Acknowledged
	Tally        *Tally
}

func unknown(name string) error {
	return fault.New(fault.NotFound, "there is no source %q; baton source list shows them", name)
}

func (s *Server) source(name string) (*intakev1.SourceDeclared, error) {
	src, ok := s.Sources.ByName(name)
	if !ok {
		return nil, unknown(name)
	}
	return src, nil
}

// Submit keeps one submission and answers once it is on disk.
func (s *Server) Submit(ctx context.Context, req *intakev1.SubmitRequest) (*intakev1.SubmitResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	sub := proto.Clone(req.GetSubmission()).(*intakev1.Submission)
	sub.ExternalId = req.GetIdempotencyKey()
	delivery, err := s.keep(ctx, src, &intakev1.DeliveryBody{Submission: sub})
	if err != nil {
		return nil, err
	}
	ids := Ids{s.Keys}
	submission := ids.Submission(src.GetSourceId(), sub.GetExternalId(), delivery)
	return &intakev1.SubmitResponse{SubmissionId: submission, LeadId: ids.Lead(submission), DeliveryId: delivery}, nil
}

// RecordTouch keeps one touch and answers once it is on disk. Whose it is may
// be found out later.
func (s *Server) RecordTouch(ctx context.Context, req *intakev1.RecordTouchRequest) (*intakev1.RecordTouchResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	touch := req.GetTouch()
	email, phone := reach(touch, src)
	switch {
	case touch.GetLeadId() == "" && email == "" && phone == "":
		return nil, fault.New(fault.Invalid, "touch: nothing says whose it is; set lead_id, or an email or phone that can be one")
	case touch.GetOccurredAt() != nil && touch.GetOccurredAt().AsTime().After(s.Clock.Now()):
		return nil, fault.New(fault.Invalid, "touch.occurred_at lies in the future; check the sender's clock")
	}
	delivery, err := s.keep(ctx, src, &intakev1.DeliveryBody{Touch: touch})
	if err != nil {
		return nil, err
	}
	return &intakev1.RecordTouchResponse{SubmissionId: Ids{s.Keys}.Touch(src.GetSourceId(), touch.GetExternalId()), DeliveryId: delivery}, nil
}

// keep keeps what came in Baton's own words, and answers its delivery.
func (s *Server) keep(ctx context.Context, src *intakev1.SourceDeclared, body *intakev1.DeliveryBody) (string, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(body)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(raw)
	d := &intakev1.Delivery{
		DeliveryId: newDeliveryID(), SourceId: src.GetSourceId(), ReceivedAt: timestamppb.New(s.Clock.Now()),
		ContentType: "application/protobuf", Signed: true, Digest: digest[:],
	}
	return d.GetDeliveryId(), s.Keep.Keep(ctx, d, body)
}

// ImportHistory records rows of the past: facts with stated owners and times.
func (s *Server) ImportHistory(ctx context.Context, req *intakev1.ImportHistoryRequest) (*intakev1.ImportHistoryResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	actor, _ := access.From(ctx)
	out := &intakev1.ImportHistoryResponse{}
	rows := req.GetRows()
	for len(rows) > 0 {
		n := min(len(rows), batchTasks)
		results, err := s.history(ctx, src, actor.Handle, rows[:n])
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, results...)
		rows = rows[n:]
	}
	return out, nil
}

// past is one row on its way into the log.
type past struct {
	row    *intakev1.HistoryRow
	result *intakev1.RowResult
	mapped Mapped
	id     string
	sub    string
	grant  keys.Grant
}

func (s *Server) history(ctx context.Context, src *intakev1.SourceDeclared, actor string, rows []*intakev1.HistoryRow) ([]*intakev1.RowResult, error) {
	ids, rules := Ids{s.Keys}, AsWritten(s.rules())
	results := make([]*intakev1.RowResult, 0, len(rows))
	var fresh []*past
	var admissions []keys.Admission
	for _, row := range rows {
		p := &past{row: row, result: &intakev1.RowResult{Line: row.GetLine()}}
		results = append(results, p.result)
		if why := s.implausible(row); why != "" {
			p.result.Error = why
			continue
		}
		p.mapped = s.Accounts.completed(worded(row.GetSubmission(), rules, src, s.Domains, row.GetReceivedAt().AsTime()), s.Domains, rules)
		p.sub = ids.Submission(src.GetSourceId(), row.GetSubmission().GetExternalId(), "")
		p.id = ids.Lead(p.sub)
		p.result.LeadId = p.id
		plain, err := proto.Marshal(row.GetSubmission().GetPersonal())
		if err != nil {
			p.result.Error = "the row cannot be encoded"
			continue
		}
		fresh = append(fresh, p)
		admissions = append(admissions, keys.Admission{
			LeadID: p.id, KeyID: "sub-" + p.id, SourceID: src.GetSourceId(), Plain: plain, AAD: []byte(p.id),
			Email: EmailKey(p.mapped.Email), Phone: p.mapped.Phone, Likeness: p.mapped.likeness(s.Domains), ReceivedAt: row.GetReceivedAt().AsTime(),
		})
	}
	if len(fresh) == 0 {
		return results, nil
	}
	var there int
	s.Log.Follower().View(func(v *ledger.View) {
		for _, p := range fresh {
			if v.Place(lead.SubjectOf(p.id)).Seq != 0 {
				there++
			}
		}
	})
	if there < len(fresh) {
		grants, err := s.Keys.Admit(ctx, admissions)
		if err != nil {
			return nil, err
		}
		for i := range fresh {
			fresh[i].grant = grants[i]
		}
	}
	_, err := s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		b := &outcomes{view: v, people: s.People, accounts: s.Accounts, domains: s.Domains, leads: map[string]*lead.State{}}
		seen := map[string]bool{}
		for _, p := range fresh {
			if p.result.Duplicate = v.Place(lead.SubjectOf(p.id)).Seq != 0 || seen[p.id]; p.result.Duplicate {
				continue
			}
			seen[p.id] = true
			b.past(p, src, actor)
		}
		return b.drafts, nil
	})
	if err != nil {
		return results, err
	}
	arrivals := make([]*task, len(fresh))
	for i, p := range fresh {
		arrivals[i] = &task{leadID: p.id, mapped: p.mapped}
	}
	return results, (&Worker{Log: s.Log, Keys: s.Keys, Sources: s.Sources, Touches: s.Touches}).arrived(ctx, arrivals)
}

// implausible says why a row cannot be a fact of the past.
func (s *Server) implausible(row *intakev1.HistoryRow) string {
	now := s.Clock.Now()
	for name, at := range map[string]*timestamppb.Timestamp{"received_at": row.GetReceivedAt(), "first_touch_at": row.GetFirstTouchAt(), "closed_at": row.GetClosedAt()} {
		if at != nil && at.AsTime().After(now) {
			return name + " lies in the future"
		}
	}
	switch {
	case row.GetSubmission().GetExternalId() == "":
		return "external_id is empty; it names the row, so that a second import finds it"
	case (row.GetOutcome() == "won" || row.GetOutcome() == "lost") && row.GetClosedAt() == nil:
		return "closed_at is empty, but the outcome is " + row.GetOutcome()
	case row.GetValueMinor() < 0:
		return "value_minor is below zero; a deal is worth nothing or more"
	case row.GetClosedAt() != nil && row.GetClosedAt().AsTime().Before(row.GetReceivedAt().AsTime()):
		return "closed_at lies before received_at"
	}
	return ""
}

// past says what a row states.
func (b *outcomes) past(p *past, src *intakev1.SourceDeclared, actor string) {
	state := &lead.State{ID: p.id}
	cause := "history:" + p.sub
	position := 0
	say := func(body proto.Message, occurred time.Time) {
		b.drafts = append(b.drafts, ledger.Draft{Subject: lead.SubjectOf(p.id), Body: body, Cause: cause, Correlation: p.id, Position: position, Actor: actor, Occurred: occurred})
		position++
	}
	received := p.row.GetReceivedAt().AsTime()
	say(&leadv1.LeadReceived{
		SourceId: src.GetSourceId(), Source: src.GetName(), SubmissionId: p.sub, SenderNamed: true, Signed: true,
		ReceivedAt: p.row.GetReceivedAt(), Features: p.mapped.Submission.GetFeatures(), Personal: p.grant.Sealed, Historical: true,
	}, received)
	b.attach(p.id, &p.grant, cause, "", state)
	if found := b.accounts.accountOf(&p.mapped, b.domains, nil); found != nil {
		say(found, received)
	}
	outcome := &leadv1.OutcomeRecorded{Member: p.row.GetOwner(), Historical: true}
	if at := p.row.GetFirstTouchAt(); at != nil {
		touch := proto.Clone(outcome).(*leadv1.OutcomeRecorded)
		touch.Kind = leadv1.OutcomeKind_OUTCOME_KIND_TOUCH
		say(touch, at.AsTime())
	}
	if p.row.GetOutcome() == "open" || p.row.GetOutcome() != "" && p.row.GetOwner() != "" {
		// It was theirs before it was closed: whoever asks of an instant between finds it so.
		had := proto.Clone(outcome).(*leadv1.OutcomeRecorded)
		had.Kind = leadv1.OutcomeKind_OUTCOME_KIND_WORKING
		say(had, received)
	}
	switch p.row.GetOutcome() {
	case "won":
		outcome.Kind, outcome.ValueMinor, outcome.Currency = leadv1.OutcomeKind_OUTCOME_KIND_WON, p.row.GetValueMinor(), p.row.GetCurrency()
		say(outcome, p.row.GetClosedAt().AsTime())
	case "lost":
		outcome.Kind = leadv1.OutcomeKind_OUTCOME_KIND_LOST
		say(outcome, p.row.GetClosedAt().AsTime())
	}
}
