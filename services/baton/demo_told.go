package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// demoOthers are those of the demo who get no leads.
var demoOthers = []struct{ handle, name, role string }{
	{"mia", "Mia Sandberg", access.Marketing},
	{"sam", "Sam Adler", access.Manager},
	{"director", "Dora Rey", access.Arbiter},
}

// demoTold is what people of the play say of leads: marketing hears what sales learned, and
// each side what the other holds against it.
type demoTold struct {
	// chance is one of its own, so that what is said changes nothing of what happens.
	chance *rand.Rand
	// feedback counts what was said of leads, disputes the cases, decided those of them.
	feedback, disputes, decided int
	// unfit are leads of which a call said that they do not fit, unworked those that
	// somebody took and never called.
	unfit, unworked []handed
}

// handed is a lead and who has it.
type handed struct{ lead, member string }

// others adds those who get no leads, and says who works where.
func (p *play) others(ctx context.Context) error {
	people := routingv1.NewRoutingServiceClient(p.conn())
	for _, m := range demoOthers {
		added, err := people.AddMember(p.as(ctx, ""), &routingv1.AddMemberRequest{Member: m.handle, Name: m.name, Email: m.handle + "@acme.example", Roles: []string{m.role}})
		if err != nil {
			return access.FaultOf(err)
		}
		p.tokens[m.handle] = added.GetToken()
	}
	for _, m := range demoTeam {
		if _, err := people.PlaceMember(p.as(ctx, ""), &routingv1.PlaceMemberRequest{Member: m.handle, Team: m.team, Manager: "sam", Office: m.office, IdempotencyKey: "place-" + m.handle}); err != nil {
			return access.FaultOf(err)
		}
	}
	return nil
}

// aims lets both departments sign what the quarter is to bring.
func (p *play) aims(ctx context.Context) error {
	n := int64(p.cfg.leads)
	now := p.clock.Now()
	quarter := fmt.Sprintf("%d-q%d", now.Year(), (now.Month()+2)/3)
	service := feedbackv1.NewFeedbackServiceClient(p.conn())
	target := func(id string, outcome feedbackv1.TargetOutcome, count int64) *feedbackv1.Target {
		return &feedbackv1.Target{TargetId: id, Outcome: outcome, Count: count, Definition: 1, Marketing: "mia", Sales: "sam"}
	}
	german := target("mql-de", feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL, n/2+1)
	german.Segment, german.Parent = `lead.country == "DE"`, "mql"
	revenue := target("revenue", feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE, 200000*n)
	revenue.Currency = "EUR"
	proposed, err := service.ProposeTargets(p.as(ctx, "mia"), &feedbackv1.ProposeTargetsRequest{
		Quarter: quarter, IdempotencyKey: "targets-" + quarter, Why: "The plan of the year.",
		Targets: []*feedbackv1.Target{target("mql", feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL, 2*n), german, target("won", feedbackv1.TargetOutcome_TARGET_OUTCOME_WON, n/4+1), revenue},
	})
	if err != nil {
		return access.FaultOf(err)
	}
	digest := feedback.TargetsDigest(proposed.GetProposed())
	for party, who := range map[string]string{agreement.Marketing: "mia", agreement.Sales: "sam"} { // any order: both sign the same
		key := p.keys[party]
		if _, err := service.SignTargets(p.as(ctx, who), &feedbackv1.SignTargetsRequest{
			Quarter: quarter, Revision: proposed.GetProposed().GetRevision(), Digest: digest, Party: party, PublicKey: p.public(party),
			Signature: ed25519.Sign(key, agreement.SignedAs(feedback.SignedTargets, digest)),
		}); err != nil {
			return access.FaultOf(err)
		}
	}
	p.say("%s  both departments signed the targets of %s", p.clock.Now().Format("Mon 15:04"), quarter)
	return nil
}

// demoPhrases are words that prospects use, by industry; those of "" anybody does.
var demoPhrases = map[string][]string{
	"":              {"too slow", "before year end", "one place for everything", "no budget this year"},
	"manufacturing": {"too many spreadsheets", "spare parts", "night shift"},
	"software":      {"single sign-on", "open interface"},
	"retail":        {"christmas season", "too many returns"},
	"health":        {"data protection", "audit trail"},
	"services":      {"billable hours", "too many spreadsheets"},
}

// learned lets somebody tell marketing what they learned in a call: mostly the same day, now
// and then days late, and now and then never.
func (p *play) learned(id, handle, key string, fit bool, horizon int64) {
	c := p.told.chance
	delay := time.Duration(5+c.IntN(240)) * time.Minute
	switch c.IntN(8) {
	case 0:
		return
	case 1:
		delay += 5 * 24 * time.Hour
	}
	f := &leadv1.FeedbackGiven{Interest: int32(1 + c.IntN(3)), Ease: int32(1 + c.IntN(4)), Talk: pick(c, []string{"open", "hard"}), Why: []string{pick(c, []string{"no-need", "no-budget", "wrong-person"})}}
	switch {
	case fit && horizon <= 6:
		f.Interest, f.Ease, f.Talk, f.Why = int32(3+c.IntN(3)), int32(2+c.IntN(4)), pick(c, []string{"well", "well", "open"}), []string{"fits", pick(c, []string{"urgent", "budget", "decides"})}
	case fit:
		f.Why = []string{"too-early"}
	}
	f.Missing = []string{pick(c, []string{"timing", "budget", "decision", "current-system", "nothing"})}
	heard, of := c.IntN(3), c.IntN(2)
	p.at(p.clock.Now().Add(delay), func(ctx context.Context) error {
		service := feedbackv1.NewFeedbackServiceClient(p.conn())
		form, err := service.GetFeedbackForm(p.as(ctx, handle), &feedbackv1.GetFeedbackFormRequest{LeadId: id})
		if err != nil {
			return p.late(err)
		}
		if f.Vertical = form.GetVertical(); f.Vertical == "" {
			f.Vertical = pick(c, []string{"manufacturing", "software", "retail", "services"})
		}
		f.Persona = form.GetPersona()
		if heard > 0 {
			f.Phrases = []string{pick(c, demoPhrases[f.GetVertical()])}
		}
		if of == 0 {
			f.Phrases = append(f.Phrases, pick(c, demoPhrases[""]))
		}
		_, err = service.GiveFeedback(p.as(ctx, handle), &feedbackv1.GiveFeedbackRequest{LeadId: id, IdempotencyKey: "said-" + key, Feedback: f})
		if err == nil {
			p.told.feedback++
		}
		return p.late(err)
	})
}

// quarrels are two cases: sales holds a lead against marketing, and the director settles
// it by what suggests itself; marketing holds one against sales, and it is open at the end.
func (p *play) quarrels() {
	day := func(n, hour int) time.Time { return p.start.AddDate(0, 0, n).Add(time.Duration(hour-5) * time.Hour) }
	var settled string
	service := func() feedbackv1.FeedbackServiceClient { return feedbackv1.NewFeedbackServiceClient(p.conn()) }
	open := func(ctx context.Context, who, id, note string) (string, error) {
		d, err := service().OpenDispute(p.as(ctx, who), &feedbackv1.OpenDisputeRequest{LeadId: id, IdempotencyKey: "dispute-" + id, Note: note})
		if err != nil {
			return "", p.late(err)
		}
		p.told.disputes++
		p.say("%s  %s disputes a lead: it was %s", p.clock.Now().Format("Mon 15:04"), who, strings.ReplaceAll(lead.ClaimWord(d.GetOpened().GetClaim()), "-", " "))
		return d.GetDisputeId(), nil
	}
	p.at(day(4, 10), func(ctx context.Context) (err error) {
		if len(p.told.unfit) > 0 {
			one := p.told.unfit[0]
			settled, err = open(ctx, one.member, one.lead, "Not one of the companies that we agreed on.")
		}
		return err
	})
	p.at(day(4, 13), func(ctx context.Context) error {
		if settled == "" {
			return nil
		}
		_, err := service().AnswerDispute(p.as(ctx, "mia"), &feedbackv1.AnswerDisputeRequest{DisputeId: settled, IdempotencyKey: "answer", Note: "Everything that we agreed on held when we handed it over."})
		return p.late(err)
	})
	p.at(day(7, 8), func(ctx context.Context) error {
		if settled == "" {
			return nil
		}
		d, err := service().GetDispute(p.as(ctx, "director"), &feedbackv1.GetDisputeRequest{DisputeId: settled})
		if err != nil {
			return err
		}
		hints := d.GetEvidence().GetHints()
		if len(hints) == 0 {
			return nil
		}
		_, err = service().DecideDispute(p.as(ctx, "director"), &feedbackv1.DecideDisputeRequest{DisputeId: settled, IdempotencyKey: "decide", Verdict: hints[0].GetVerdict(), Criterion: hints[0].GetCriterion(), Note: "By what was known at the handoff."})
		if err != nil {
			return p.late(err)
		}
		p.told.decided++
		ruling, _ := lead.RulingOf(hints[0].GetVerdict())
		p.say("%s  director decides the dispute: %s", p.clock.Now().Format("Mon 15:04"), ruling.Text)
		return nil
	})
	p.at(day(11, 9), func(ctx context.Context) error {
		if len(p.told.unworked) == 0 {
			return nil
		}
		_, err := open(ctx, "mia", p.told.unworked[0].lead, "Taken, and nobody has called since.")
		return err
	})
}

// dealGoesOn is what is said of a deal before it is closed.
func (p *play) dealGoesOn(id, handle, key string, from, until time.Time) {
	for i, stage := range []string{"first-meeting", "offer"} {
		p.at(from.Add(until.Sub(from)*time.Duration(i+1)/3), func(ctx context.Context) error {
			_, err := feedbackv1.NewFeedbackServiceClient(p.conn()).RecordOutcome(p.as(ctx, handle), &feedbackv1.RecordOutcomeRequest{
				LeadId: id, IdempotencyKey: stage + "-" + key, Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, DealStage: stage,
			})
			return p.late(err)
		})
	}
}
