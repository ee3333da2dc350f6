package agreement

import (
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

func TestSegment(t *testing.T) {
	rules, err := Compile([]byte(starterDocument(t)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	german := Facts{Features: &leadv1.Features{Country: "DE", Employees: 80}, Touches: []lead.Arrival{{Kind: "pricing-page", At: now.Add(-time.Hour)}}, Now: now}
	for source, holds := range map[string]bool{
		"":                            true,
		`lead.country == "DE"`:        true,
		`lead.country == "FR"`:        false,
		`lead.industry == "software"`: false, // nobody said
		`touches.count("pricing-page", days:14) >= 1`: true,
	} {
		s, err := rules.Segment(source)
		if err != nil {
			t.Fatalf("%q: %v", source, err)
		}
		if s.Holds(german) != holds {
			t.Errorf("%q holds of a German lead: %v", source, !holds)
		}
	}
	for source, says := range map[string]string{
		`lead.contry == "DE"`:               `at character 1: there is no lead.contry (did you mean "lead.country"?)`,
		`lead.employees`:                    "gives",
		`calls > 10`:                        `there is no "calls"`,
		`call.reached`:                      "call.",
		`lead.country == "DE" && nope == 1`: "at character 25",
	} {
		if _, err := rules.Segment(source); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v; want %q", source, err, says)
		}
	}
}
