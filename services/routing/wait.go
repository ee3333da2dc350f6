package routing

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// What becomes of a lead that nobody can take now.

func queue(in Input, pool agreement.Pool, rule agreement.Handoff, considered []*leadv1.Candidate, blocked, text string, look time.Time) *Said {
	s := in.Lead
	since := s.WaitingSince
	if since.IsZero() {
		since = in.Now
	}
	body := &leadv1.LeadQueued{
		AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, BlockedBy: blocked, Text: text, Considered: considered, Rule: rule.ID,
	}
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_QUEUED, LeadId: s.ID, Pool: pool.ID, BlockedBy: blocked, WaitingSince: timestamppb.New(since),
	}
	if !look.IsZero() {
		body.LookAgainAt, step.LookAgainAt = timestamppb.New(look), timestamppb.New(look)
	}
	return &Said{Body: body, Group: pool.Group, Step: step}
}

// blocking names the one rule that keeps a lead waiting, and when to look again.
func blocking(in Input, pool agreement.Pool, calendar *agreement.Calendar, considered []*leadv1.Candidate) (rule, text string, look time.Time) {
	count := map[string]int{}
	for _, c := range considered {
		count[c.GetReason()]++
		if m := in.Roster.Member(c.GetMember()); c.GetReason() == "away" && !m.Until.IsZero() && (look.IsZero() || m.Until.Before(look)) {
			look = m.Until
		}
	}
	var parts []string
	for _, reason := range []string{"off-duty", "full", "timed-out", "away", "declined", "returned", "excluded", "deactivated", "not-known"} {
		if count[reason] == 0 {
			continue
		}
		if rule == "" {
			rule = reason
		}
		parts = append(parts, fmt.Sprintf("%d %s", count[reason], strings.ReplaceAll(reason, "-", " ")))
	}
	switch rule {
	case "":
		rule = "empty-pool"
	case "deactivated", "not-known":
		rule = "empty-pool"
	case "timed-out", "returned", "excluded":
		rule = "declined"
	case "off-duty":
		if next, ok := calendar.NextOnDuty(in.Now); ok && (look.IsZero() || next.Before(look)) {
			look = next
		}
	}
	text = fmt.Sprintf("Nobody in pool %s can take it now: %s.", pool.Title, strings.Join(parts, ", "))
	if !look.IsZero() {
		text += " It is looked at again at " + stamp(look) + ", or as soon as somebody can."
	} else {
		text += " It goes out as soon as somebody can."
	}
	return rule, text, look
}
