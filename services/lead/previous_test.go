package lead

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
)

// Who had a person last, after what happened to their leads a and b, at the hours in
// which it happened.
//
// Goes red if: whoever covers or rejects counts as who had the lead, an act of
// somebody else counts as theirs, or a merge hides what the other had.
func TestPreviousOwner(t *testing.T) {
	t.Parallel()
	offered := func(covers string) proto.Message {
		return &leadv1.LeadOffered{Member: "x", ChosenBy: "rotation", Covers: covers}
	}
	accepted := func(m string) proto.Message { return &leadv1.OfferAccepted{Member: m} }
	type act struct {
		lead string
		body proto.Message
	}
	for name, test := range map[string]struct {
		acts   []act
		member string
		hour   int
	}{
		"nobody":                  {acts: []act{{"a", offered("")}}},
		"who accepted":            {[]act{{"a", offered("")}, {"a", accepted("ana")}}, "ana", 1},
		"who accepted last":       {[]act{{"a", accepted("ana")}, {"b", accepted("ben")}}, "ben", 1},
		"a later act of theirs":   {[]act{{"a", accepted("ana")}, {"b", accepted("ben")}, {"a", &leadv1.CallRecorded{Member: "ana"}}}, "ana", 2},
		"an act of another":       {[]act{{"a", accepted("ana")}, {"a", &leadv1.OutcomeRecorded{Member: "ben"}}}, "ana", 0},
		"after it ended":          {[]act{{"a", accepted("ana")}, {"a", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana"}}}, "ana", 1},
		"back with marketing":     {[]act{{"a", accepted("ana")}, {"a", &leadv1.LeadNurtured{}}}, "ana", 0},
		"rejected":                {[]act{{"a", accepted("ana")}, {"a", &leadv1.OfferRejected{Member: "ana"}}}, "", 0},
		"rejected by another":     {[]act{{"a", accepted("ana")}, {"a", &leadv1.OfferRejected{Member: "ben"}}}, "ana", 0},
		"covered":                 {[]act{{"a", accepted("ana")}, {"b", offered("ana")}, {"b", accepted("ben")}}, "ana", 0},
		"offered anew after that": {[]act{{"b", offered("ana")}, {"b", offered("")}, {"b", accepted("ben")}}, "ben", 2},
		"imported with the lead":  {[]act{{"a", &leadv1.LeadReassigned{Reason: ReasonImported, To: "zoe"}}}, "zoe", 0},
		"moved, not yet taken":    {[]act{{"a", accepted("ana")}, {"a", &leadv1.LeadReassigned{Reason: "left", From: "ana", To: "zoe"}}}, "ana", 0},
		"history":                 {[]act{{"a", &leadv1.OutcomeRecorded{Historical: true, Member: "zoe"}}}, "zoe", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := NewPeople()
			at := func(hour int) time.Time { return noon.Add(time.Duration(hour) * time.Hour) }
			for i, id := range []string{"a", "b"} {
				p.Evolve(SubjectPerson+"p-"+id, uint64(i), noon, noon, &personv1.LeadAttached{LeadId: id})
			}
			p.Evolve(SubjectPerson+"p-b", 3, noon, noon, &personv1.PersonMerged{IntoId: "p-a", FromId: "p-b"})
			for hour, act := range test.acts {
				p.Evolve(SubjectOf(act.lead), uint64(10+hour), at(hour), at(hour), act.body)
			}
			member, acted := p.PreviousOwner("p-b")
			want := time.Time{}
			if test.member != "" {
				want = at(test.hour)
			}
			if member != test.member || !acted.Equal(want) {
				t.Errorf("%q at %s, want %q at %s", member, acted, test.member, want)
			}
		})
	}
	if member, _ := (*People)(nil).PreviousOwner("p"); member != "" {
		t.Errorf("of no people: %q", member)
	}
}
