package contract

import (
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/google/go-cmp/cmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

func TestBreachesNameFieldAndRule(t *testing.T) {
	m := &routingv1.PoolAdvanced{Steps: []*routingv1.PoolStep{{Kind: routingv1.StepKind_STEP_KIND_LEFT, LeadId: "l1"}, {LeadId: strings.Repeat("l", 65)}}}
	got, err := Check(m)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, b := range got {
		if b.Text == "" {
			t.Errorf("%s is not said in words", b.Rule)
		}
		said = append(said, b.Field+" "+b.Rule)
	}
	if diff := cmp.Diff([]string{"steps[1].kind enum.not_in", "steps[1].lead_id string.max_len"}, said); diff != "" {
		t.Error(diff)
	}
	if got, err := Check(&leadv1.OfferAccepted{Member: "ana", Offer: 1}); len(got) != 0 || err != nil {
		t.Errorf("an event as its contract says: %v, %v", got, err)
	}
}

func TestMapKeysStayOutOfFieldPaths(t *testing.T) {
	path := &validate.FieldPath{}
	path.SetElements([]*validate.FieldPathElement{{}, {}, {}})
	path.GetElements()[0].SetFieldName("rows")
	path.GetElements()[0].SetIndex(3)
	path.GetElements()[1].SetFieldName("answers")
	path.GetElements()[1].SetStringKey("+49 170 5550199")
	path.GetElements()[2].SetFieldName("text")
	if got := pathOf(path); got != "rows[3].answers[…].text" {
		t.Errorf("got %s", got)
	}
}
