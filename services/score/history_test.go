package score

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

// Given what happened to a lead, its outcome by either label, and what came late.
func TestHistory(t *testing.T) {
	t.Parallel()
	outcome := func(kind leadv1.OutcomeKind) proto.Message { return &leadv1.OutcomeRecorded{Kind: kind} }
	won, lost, touch := outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON), outcome(leadv1.OutcomeKind_OUTCOME_KIND_LOST), outcome(leadv1.OutcomeKind_OUTCOME_KIND_TOUCH)
	call := &leadv1.CallRecorded{CallId: "c1"}
	sql := &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, CallId: "c1"}
	sal := &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SAL, CallId: "c1"}
	mql := &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL}
	revised := &leadv1.SubmissionRevised{Features: &leadv1.Features{Country: "AT", Role: "head", HasPhone: true}}
	conflict := &leadv1.SubmissionRevised{Features: revised.GetFeatures(), Conflict: true}
	remapped := &leadv1.LeadRemapped{Features: &leadv1.Features{Country: "AT", Answers: map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Number{Number: 5}}}}}
	rejected := func(c leadv1.Consequence) proto.Message { return &leadv1.OfferRejected{Consequence: c} }
	const none, yea, nay = "", "yes", "no"
	for name, c := range map[string]struct {
		events   []proto.Message
		won, sql string
		late     []string
	}{
		"nothing yet":                     {[]proto.Message{mql}, none, none, nil},
		"won without a call":              {[]proto.Message{mql, won}, yea, none, nil},
		"won after a call":                {[]proto.Message{mql, call, sql, won}, yea, yea, nil},
		"lost":                            {[]proto.Message{mql, lost}, nay, nay, nil},
		"lost after it was SQL":           {[]proto.Message{call, sql, lost}, nay, yea, nil},
		"won in the end":                  {[]proto.Message{lost, won}, yea, none, nil},
		"SAL":                             {[]proto.Message{call, sal}, none, nay, nil},
		"SAL, then SQL":                   {[]proto.Message{call, sal, call, sql}, none, yea, nil},
		"SQL, then SAL":                   {[]proto.Message{call, sql, call, sal}, none, yea, nil},
		"a call says no":                  {[]proto.Message{call, &leadv1.LeadNurtured{Reason: "call"}}, none, nay, nil},
		"the profile says no":             {[]proto.Message{&leadv1.LeadNurtured{Reason: "profile"}}, none, none, nil},
		"rejected for good":               {[]proto.Message{rejected(leadv1.Consequence_CONSEQUENCE_DISQUALIFY)}, nay, nay, nil},
		"rejected, to the next":           {[]proto.Message{rejected(leadv1.Consequence_CONSEQUENCE_NEXT_PERSON)}, none, none, nil},
		"spam":                            {[]proto.Message{&leadv1.LeadRefused{}, lost}, none, none, nil},
		"revised before anybody came":     {[]proto.Message{revised, touch, won}, yea, none, nil},
		"revised after":                   {[]proto.Message{touch, revised, won}, yea, none, []string{"lead.has_phone", "lead.role"}},
		"revised after it was taken":      {[]proto.Message{&leadv1.OfferAccepted{}, revised, won}, yea, none, []string{"lead.has_phone", "lead.role"}},
		"a conflict changes nothing":      {[]proto.Message{touch, conflict, won}, yea, none, nil},
		"read again after a call":         {[]proto.Message{call, remapped, won}, yea, none, []string{"answers.budget"}},
		"read again before, revised then": {[]proto.Message{remapped, call, revised, won}, yea, none, []string{"lead.has_phone", "lead.role"}},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			h.Apply("l1", &leadv1.LeadReceived{ReceivedAt: timestamppb.New(january), Features: &leadv1.Features{Country: "DE"}}, january, january)
			for i, e := range c.events {
				at := january.Add(time.Duration(i+1) * time.Hour)
				h.Apply("l1", e, at, at)
			}
			for label, want := range map[scorev1.Label]string{scorev1.Label_LABEL_WON: c.won, scorev1.Label_LABEL_SQL: c.sql} {
				known, got := h.Known(label), none
				if len(known) == 1 {
					got = map[bool]string{true: yea, false: nay}[known[0].Yes]
					if !slices.Equal(known[0].Late, c.late) {
						t.Errorf("late are %v, want %v", known[0].Late, c.late)
					}
					if f := known[0].Features; f.GetCountry() != "DE" || f.GetRole() != "" {
						t.Errorf("it learns from what came later: %v", f)
					}
				}
				if got != want {
					t.Errorf("%s is %q, want %q", label, got, want)
				}
			}
		})
	}
}

// A call that took place before the revision counts, whenever it was written
// down.
func TestACallThatWasWrittenDownLater(t *testing.T) {
	t.Parallel()
	var h History
	hour := func(n int) time.Time { return january.Add(time.Duration(n) * time.Hour) }
	h.Apply("l1", &leadv1.LeadReceived{ReceivedAt: timestamppb.New(january), Features: &leadv1.Features{}}, january, january)
	h.Apply("l1", &leadv1.SubmissionRevised{Features: &leadv1.Features{Country: "AT"}}, hour(2), hour(2))
	h.Apply("l1", &leadv1.CallRecorded{CallId: "c"}, hour(1), hour(3))
	h.Apply("l1", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST}, hour(4), hour(4))
	h.Apply("none", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST}, hour(4), hour(4))
	known := h.Known(scorev1.Label_LABEL_WON)
	if len(known) != 1 || !slices.Equal(known[0].Late, []string{"lead.country"}) {
		t.Errorf("known are %v", known)
	}
}
