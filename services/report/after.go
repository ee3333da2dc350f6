package report

import (
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// What became of leads after they were handed over: one row for each thing that people
// said of them.

type touchRow struct {
	leadID                                  string
	sequence                                uint64
	at, recorded                            time.Time
	member, channel, direction, disposition string
	reached                                 bool
	minutes                                 int64
}

func (t *touchRow) columns() []column {
	return []column{
		{"lead_id", &t.leadID},
		{"sequence", (*sequenceColumn)(&t.sequence)},
		{"at", (*instantColumn)(&t.at)},
		{"recorded_at", (*instantColumn)(&t.recorded)},
		{"member", &t.member},
		{"channel", &t.channel},
		{"direction", &t.direction},
		{"disposition", &t.disposition},
		{"reached", &t.reached},
		{"minutes", &t.minutes},
	}
}

type rejectionRow struct {
	leadID                            string
	sequence                          uint64
	at                                time.Time
	member, pool, reason, consequence string
	agreement                         int64
}

func (r *rejectionRow) columns() []column {
	return []column{
		{"lead_id", &r.leadID},
		{"sequence", (*sequenceColumn)(&r.sequence)},
		{"at", (*instantColumn)(&r.at)},
		{"member", &r.member},
		{"pool", &r.pool},
		{"reason", &r.reason},
		{"consequence", &r.consequence},
		{"agreement_version", &r.agreement},
	}
}

// feedbackRow is what somebody said of a lead; what they said last counts.
type feedbackRow struct {
	leadID                            string
	sequence                          uint64
	at                                time.Time
	member                            string
	interest, ease                    int64
	talk, vertical, persona, campaign string
	why, missing, phrases             string
	agreement                         int64
}

func (f *feedbackRow) columns() []column {
	return []column{
		{"lead_id", &f.leadID},
		{"sequence", (*sequenceColumn)(&f.sequence)},
		{"at", (*instantColumn)(&f.at)},
		{"member", &f.member},
		{"interest", &f.interest},
		{"ease", &f.ease},
		{"talk", &f.talk},
		{"vertical", &f.vertical},
		{"persona", &f.persona},
		{"campaign", &f.campaign},
		{"why", &f.why},
		{"missing", &f.missing},
		{"phrases", &f.phrases},
		{"agreement_version", &f.agreement},
	}
}

// single is a change of a row that may stand from another batch: there are few.
type single struct {
	query string
	args  []any
}

// told follows what people say of a lead.
func (r *leadRow) told(e *ledger.Event, c *changes) {
	id := r.s.ID
	switch b := e.Body.(type) {
	case *leadv1.OutcomeRecorded:
		if b.GetDealStage() != "" {
			r.dealStage = b.GetDealStage()
		}
		if b.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH {
			c.touches = append(c.touches, &touchRow{
				id, e.Seq, e.Occurred, e.Recorded, b.GetMember(), b.GetChannel(), b.GetDirection(), b.GetDisposition(), b.GetReached(), int64(b.GetMinutes()),
			})
		}
	case *leadv1.CallRecorded:
		c.touches = append(c.touches, &touchRow{
			leadID: id, sequence: e.Seq, at: e.Occurred, recorded: e.Recorded, member: b.GetMember(), channel: "call", direction: "out", reached: b.GetReached(),
		})
	case *leadv1.OfferAccepted:
		if r.inTimeAt.IsZero() && (r.takeBy.IsZero() || !e.Occurred.After(r.takeBy)) {
			r.inTimeAt = e.Occurred
		}
	case *leadv1.OfferRejected:
		c.rejections = append(c.rejections, &rejectionRow{
			id, e.Seq, e.Occurred, b.GetMember(), r.s.Pool, b.GetReason(), enumWord(b.GetConsequence().String(), "CONSEQUENCE_"), b.GetAgreementVersion(),
		})
	case *leadv1.LeadQualified:
		if b.GetPurpose() != "" {
			r.purpose = b.GetPurpose()
		}
	case *leadv1.LeadNurtured:
		first(&r.nurturedAt, e.Occurred)
		if b.GetPurpose() != "" {
			r.purpose = b.GetPurpose()
		}
	case *leadv1.NoticeSent:
		if b.GetDelivered() {
			first(&r.toldAt, e.Occurred)
		}
	case *leadv1.NoticeOpened:
		first(&r.toldAt, e.Occurred)
	case *leadv1.FeedbackGiven:
		lines := func(words []string) string { return strings.Join(words, "\n") }
		c.feedback = append(c.feedback, &feedbackRow{
			id, e.Seq, e.Occurred, b.GetMember(), int64(b.GetInterest()), int64(b.GetEase()), b.GetTalk(), b.GetVertical(), b.GetPersona(), b.GetCampaign(),
			lines(b.GetWhy()), lines(b.GetMissing()), lines(b.GetPhrases()), b.GetAgreementVersion(),
		})
	default:
		c.between(id, e)
	}
}

// between follows what the departments say to each other about a lead.
func (c *changes) between(id string, e *ledger.Event) {
	say := func(query string, args ...any) { c.singles = append(c.singles, single{query, args}) }
	switch b := e.Body.(type) {
	case *leadv1.DisputeOpened:
		say("INSERT INTO disputes (dispute_id, lead_id, sequence, opened_at, party, claim, offer, agreement_version, agrees, steps, verdict, criterion, questionnaire_version, finding)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '', '') ON CONFLICT (dispute_id) DO NOTHING",
			b.GetDisputeId(), id, int64(e.Seq), nanos(e.Occurred), b.GetParty(), enumWord(b.GetClaim().String(), "DISPUTE_CLAIM_"), int64(b.GetOffer()), b.GetAgreementVersion(), false)
	case *leadv1.DisputeAnswered:
		say("UPDATE disputes SET answered_at = ?, agrees = ? WHERE dispute_id = ?", nanos(e.Occurred), b.GetAgrees(), b.GetDisputeId())
	case *leadv1.DisputeEscalated:
		say("UPDATE disputes SET steps = ? WHERE dispute_id = ?", int64(b.GetStep()), b.GetDisputeId())
	case *leadv1.DisputeDecided:
		say("UPDATE disputes SET decided_at = ?, verdict = ?, criterion = ?, questionnaire_version = ?, finding = ? WHERE dispute_id = ?",
			nanos(e.Occurred), enumWord(b.GetVerdict().String(), "DISPUTE_VERDICT_"), b.GetCriterion(), b.GetQuestionnaireVersion(), b.GetFinding(), b.GetDisputeId())
	case *leadv1.RideAlongRequested:
		say("INSERT INTO rides (lead_id, ride_id, member, asked_at) VALUES (?, ?, ?, ?) ON CONFLICT (lead_id, ride_id) DO NOTHING",
			id, b.GetRideId(), b.GetMember(), nanos(e.Occurred))
	case *leadv1.RideAlongHeld:
		held := nanos(e.Occurred)
		say("UPDATE rides SET held_at = ? WHERE lead_id = ? AND ride_id = ? AND (held_at IS NULL OR held_at > ?)", held, id, b.GetRideId(), held)
	}
}

// placed says where somebody works from then on.
func (c *changes) placed(e *ledger.Event) {
	if b, ok := e.Body.(*routingv1.MemberPlaced); ok {
		c.singles = append(c.singles, single{
			"INSERT INTO member_places (member, from_at, team, manager, office) VALUES (?, ?, ?, ?, ?)" +
				" ON CONFLICT (member, from_at) DO UPDATE SET team = excluded.team, manager = excluded.manager, office = excluded.office",
			[]any{b.GetMember(), nanos(e.Occurred), b.GetTeam(), b.GetManager(), b.GetOffice()},
		})
	}
}
