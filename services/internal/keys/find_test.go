package keys

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindMakesNothing holds what Find answers against what Admit then does.
func TestFindMakesNothing(t *testing.T) {
	s := fresh(t)
	ask := []Contact{{Email: "a@x.example"}, {Phone: "+49301234567"}, {Email: "b@x.example", Phone: "+49301234567"}, {}}
	find := func() []string {
		t.Helper()
		got, err := s.Find(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if diff := cmp.Diff([]string{"", "", "", ""}, find()); diff != "" {
		t.Error("nobody is known:", diff)
	}
	if diff := cmp.Diff([]string{"", "", "", ""}, find()); diff != "" {
		t.Error("to ask makes somebody known:", diff)
	}
	grants, err := s.Admit(t.Context(), []Admission{
		{LeadID: "l1", KeyID: "k1", SourceID: "web", Email: "a@x.example", Phone: "+49301234567"},
		{LeadID: "l2", KeyID: "k2", SourceID: "web", Email: "c@x.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	who := grants[0].PersonID
	if both, err := s.Find(t.Context(), []Contact{{Email: "c@x.example", Phone: "+49301234567"}}); err != nil || both[0] != grants[1].PersonID {
		t.Errorf("an address comes before a number: %v, %v", both, err)
	}
	if diff := cmp.Diff([]string{who, who, who, ""}, find()); diff != "" {
		t.Error(diff)
	}
}
