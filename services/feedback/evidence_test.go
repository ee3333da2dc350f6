package feedback

import (
	"strings"
	"testing"

	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
)

// TestWhoReadsEvidence holds by what right somebody reads it: named in the agreement, in
// the targets of the quarter, or as the arbiter; of the party that answers for the figure.
func TestWhoReadsEvidence(t *testing.T) {
	document := strings.NewReplacer("accountable: Head of marketing", "accountable: mia", "accountable: Head of sales", "accountable: sam").Replace(
		string(agreement.Starter(agreement.StarterParams{MarketingKey: append(make([]byte, 31), 1), SalesKey: append(make([]byte, 31), 2), Arbiter: "arbi"})))
	rules, err := agreement.Compile([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string][]string{agreement.Marketing: {"tom"}, agreement.Sales: {"tess"}}
	for _, test := range []struct{ party, handle, right string }{
		{agreement.Marketing, "mia", agreement.Marketing},
		{agreement.Marketing, "tom", agreement.Marketing},
		{agreement.Marketing, "arbi", "arbiter"},
		{agreement.Marketing, "sam", ""},
		{agreement.Marketing, "tess", ""},
		{agreement.Marketing, "admin", ""},
		{agreement.Sales, "sam", agreement.Sales},
		{agreement.Sales, "mia", ""},
		{"both", "tess", agreement.Sales},
	} {
		right, err := mayRead(rules, targets, test.party, test.handle)
		if right != test.right || (test.right == "") != fault.Is(err, fault.Denied) {
			t.Errorf("%s on a figure of %s: %q, %v; want %q", test.handle, test.party, right, err, test.right)
		}
	}
	if _, err := mayRead(nil, targets, agreement.Marketing, "tom"); !fault.Is(err, fault.State) {
		t.Errorf("without an agreement: %v", err)
	}
}
