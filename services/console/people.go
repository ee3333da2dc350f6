package console

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// peopleView is who is there, what they hold, and where they stand in their rotations.
type peopleView struct {
	Now    time.Time
	People []personRow
	// You are whoever is signed in, where they are one of the people.
	You *personRow
	// Key makes a form that is sent twice harmless.
	Key  string
	Move *moveForm
}

type personRow struct {
	member
	Roles   string
	Present bool
	Pools   []share
	Leaves  []leave
	// Sells says that leads can go to them at all.
	Sells bool
}

// share is where somebody stands in one rotation.
type share struct {
	Pool  string
	Turns int64
	// Ahead is how far they are ahead of their share, or behind, in words; empty = level.
	Ahead  string
	Behind bool
}

type leave struct {
	From, Until time.Time
	Reason, ID  string
}

func (c *console) showPeople(w http.ResponseWriter, r *http.Request, v *visit) error {
	got, err := v.routing.ListMembers(r.Context(), &routingv1.ListMembersRequest{})
	if err != nil {
		return err
	}
	st, statusErr := v.reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	agreed, agreedErr := v.agreement.GetAgreement(r.Context(), &agreementv1.GetAgreementRequest{})
	if err := withdrawn(statusErr, agreedErr); err != nil {
		return err
	}
	view := peopleView{Now: c.systemTime(st), Key: rand.Text()}
	pools := titlesOf(agreed)
	for _, m := range got.GetMembers() {
		row := personOf(m, pools)
		view.People = append(view.People, row)
		if m.GetMember() == v.reader.Handle {
			view.You = &row
		}
	}
	if view.Move, err = v.moveForm(r.Context(), ""); err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, "people", v.session, pageData{Title: "People", Nav: "people", Body: view})
	return nil
}

func personOf(m *routingv1.Member, pools titles) personRow {
	row := personRow{member: memberOf(m, pools), Roles: strings.Join(m.GetRoles(), ", "), Present: m.GetPresent()}
	row.Sells = slices.Contains(m.GetRoles(), access.Sales) || slices.Contains(m.GetRoles(), access.Qualifier)
	for _, pool := range slices.Sorted(maps.Keys(m.GetTurns())) {
		s := share{Pool: pools.of(pool), Turns: m.GetTurns()[pool]}
		s.Ahead, s.Behind = aheadWords(m.GetAhead()[pool])
		row.Pools = append(row.Pools, s)
	}
	for _, l := range m.GetLeaves() {
		row.Leaves = append(row.Leaves, leave{instant(l.GetFrom()), instant(l.GetUntil()), l.GetReason(), l.GetLeaveId()})
	}
	return row
}

// aheadWords says thousandths of a lead that somebody is ahead of their share.
func aheadWords(thousandths int64) (text string, behind bool) {
	n, word := thousandths, "ahead"
	if n < 0 {
		n, word = -n, "behind"
	}
	tenths := (n + 50) / 100
	if tenths == 0 {
		return "", false
	}
	return fmt.Sprintf("%d.%d %s", tenths/10, tenths%10, word), word == "behind"
}

// goAway says that whoever is signed in is away, from now on or from a day that lies ahead.
func (c *console) goAway(w http.ResponseWriter, r *http.Request, v *visit) error {
	req := &routingv1.SetAvailabilityRequest{Away: true, Reason: strings.TrimSpace(r.PostFormValue("reason")), IdempotencyKey: r.PostFormValue("key")}
	var err error
	if req.From, err = dayTyped(r, "from", "The first day away"); err != nil {
		return err
	}
	if req.Until, err = dayTyped(r, "until", "The day of coming back"); err != nil {
		return err
	}
	said := "You are away: leads go to the others."
	if req.GetFrom() != nil {
		if req.GetUntil() != nil && !req.GetUntil().AsTime().After(req.GetFrom().AsTime()) {
			return status.Error(codes.InvalidArgument, "The day of coming back must lie after the first day away.")
		}
		said = "Your leave from " + req.GetFrom().AsTime().Format(time.DateOnly) + " is noted: leads go to the others then."
	}
	_, err = v.routing.SetAvailability(r.Context(), req)
	return c.changed(w, r, v, err, said)
}

// dayTyped is the beginning in UTC of a day that a form names; nil = it names none.
func dayTyped(r *http.Request, field, what string) (*timestamppb.Timestamp, error) {
	text := strings.TrimSpace(r.PostFormValue(field))
	if text == "" {
		return nil, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "%s is %q; a date such as 2026-08-31 is expected.", what, text)
	}
	return timestamppb.New(day), nil
}

// comeBack says that whoever is signed in is back, or takes leave of theirs back.
func (c *console) comeBack(w http.ResponseWriter, r *http.Request, v *visit) error {
	req := &routingv1.SetAvailabilityRequest{LeaveId: r.PostFormValue("leave"), IdempotencyKey: r.PostFormValue("key")}
	said := "You are back: leads can go to you."
	if req.GetLeaveId() != "" {
		said = "The leave is taken back."
	}
	_, err := v.routing.SetAvailability(r.Context(), req)
	return c.changed(w, r, v, err, said)
}

// present says that whoever is signed in to the pages begins or ends their day.
func (c *console) present(w http.ResponseWriter, r *http.Request, v *visit) error {
	here := r.PostFormValue("present") == "yes"
	_, err := v.routing.SetPresence(r.Context(), &routingv1.SetPresenceRequest{Present: here, IdempotencyKey: r.PostFormValue("key")})
	said := "You are signed out for the day."
	if here {
		said = "You are signed in for the day."
	}
	return c.changed(w, r, v, err, said)
}

func (c *console) changed(w http.ResponseWriter, r *http.Request, v *visit, err error, said string) error {
	if err != nil {
		return err
	}
	c.sessions.say(v.session, said)
	http.Redirect(w, r, "/people", http.StatusSeeOther)
	return nil
}

// whyView is why leads did not go to somebody.
type whyView struct {
	Member string
	Own    bool
	// Days are the spans that can be looked at.
	Days                          []choice
	Considered, Eligible, Offered int64
	// AtLeast says that of some decisions it is not known whether they could have taken the lead.
	AtLeast   bool
	Reasons   []whyRow
	Decisions []whyDecision
	People    []choice
}

type whyRow struct {
	Because string
	N       int64
	Bar     int
}

type whyDecision struct {
	Lead, Pool, OfferedTo, Text string
	At                          time.Time
}

// whySpans are how far back the page looks, in days.
var whySpans = []int{1, 7, 30, 90}

func (c *console) showWhyNot(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	member := q.Get("member")
	view := whyView{Member: member}
	if view.Own = member == "" || member == v.reader.Handle; view.Own {
		view.Member = v.reader.Handle
	}
	req := &routingv1.WhyNotRequest{Member: member, PageSize: 50}
	st, statusErr := v.reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	days := 7
	for _, n := range whySpans {
		if q.Get("days") == fmt.Sprint(n) {
			days = n
		}
	}
	for _, n := range whySpans {
		address := url.Values{"days": {fmt.Sprint(n)}}
		if member != "" {
			address.Set("member", member)
		}
		label := fmt.Sprintf("last %d days", n)
		if n == 1 {
			label = "last day"
		}
		view.Days = append(view.Days, choice{Key: "/why-not?" + address.Encode(), Label: label, Chosen: n == days})
	}
	req.From = timestamppb.New(c.systemTime(st).Add(-time.Duration(days) * 24 * time.Hour))
	got, err := v.routing.WhyNot(r.Context(), req)
	if err != nil {
		return err
	}
	agreed, agreedErr := v.agreement.GetAgreement(r.Context(), &agreementv1.GetAgreementRequest{})
	if err := withdrawn(statusErr, agreedErr); err != nil {
		return err
	}
	pools := titlesOf(agreed)
	view.Member, view.Considered, view.Eligible, view.Offered = got.GetMember(), got.GetConsidered(), got.GetEligible(), got.GetOffered()
	most := int64(1)
	for _, reason := range got.GetReasons() {
		most = max(most, reason.GetDecisions())
		view.AtLeast = view.AtLeast || reason.GetReason() == lead.NotNamed
		view.Reasons = append(view.Reasons, whyRow{Because: lead.WhyNot(reason.GetReason()), N: reason.GetDecisions(), Bar: int(reason.GetDecisions() * 100 / most)})
	}
	for _, d := range got.GetDecisions() {
		view.Decisions = append(view.Decisions, whyDecision{Lead: d.GetLeadId(), Pool: pools.of(d.GetPool()), OfferedTo: d.GetOfferedTo(), Text: d.GetText(), At: instant(d.GetAt())})
	}
	c.render(w, r, http.StatusOK, "why", v.session, pageData{Title: "Why not " + got.GetMember(), Nav: "people", Body: view})
	return nil
}
