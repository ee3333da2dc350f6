package main

import (
	"testing"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// What is empty says why, and where to look next.
func TestEmptyListsSayWhatIsNext(t *testing.T) {
	nothing := someReport()
	nothing.Report, nothing.Rows = reportFairness, nil
	serve(t, &system{report: nothing})
	has(t, ok(t, "lead", "list"), "No lead has come yet; baton source list shows where they come from.")
	for _, some := range []string{"--state=won", "--member=ana"} {
		has(t, ok(t, "lead", "list", some), "There is no such lead; baton lead list shows all.")
	}
	has(t, ok(t, "report", "fairness", "--pool", "nowhere"), "No lead was offered to anybody in this pool and this time.", "baton agreement show")
}

// Shares of leads are leads, in fractions of one; a sum of them that should be nothing
// is shown as nothing.
func TestSharesAreCountedInLeads(t *testing.T) {
	r := someReport()
	r.Report = reportFairness
	r.Rows = r.GetRows()[:1]
	r.Columns = append(r.Columns, &feedbackv1.Column{Name: "ahead", Unit: "number"})
	for _, row := range []*feedbackv1.ReportRow{r.GetRows()[0], r.GetTotal()} {
		row.Figures = append(row.Figures, &feedbackv1.Figure{Name: "ahead", Value: -1e-9})
	}
	serve(t, &system{report: r})
	has(t, ok(t, "report", "fairness"), "ahead     0.00", "0.00                 leads")
	if got := readable("-0.0001", unitNumber); got != "0.00" {
		t.Errorf("nothing is shown as %s", got)
	}
}

func TestWordsOfStandingAndNotices(t *testing.T) {
	for want, m := range map[string]*routingv1.Member{
		"in no pool": {Member: "gina"}, "off duty": {Turns: map[string]int64{"inside": 0}}, "off duty, signed in": {Present: true, Turns: map[string]int64{"inside": 0}},
		"deactivated": {Deactivated: true}, "away": {Away: true},
	} {
		if got := presence(m); got != want {
			t.Errorf("%v is %q; want %q", m, got, want)
		}
	}
	for want, n := range map[string]*deliveryv1.Notice{
		"clock": {Kind: leadv1.NoticeKind_NOTICE_KIND_ESCALATION}, "offer (offer 2)": {Kind: leadv1.NoticeKind_NOTICE_KIND_OFFER, Offer: 2},
		"LeadOffered": {Kind: leadv1.NoticeKind_NOTICE_KIND_EVENT, EventType: "baton.lead.v1.LeadOffered"},
	} {
		if got := about(n); got != want {
			t.Errorf("%v is about %q; want %q", n, got, want)
		}
	}
	for thousandths, want := range map[int64]string{0: "level with their share now", 49: "level with their share now", -1460: "1.5 leads behind their share now", 2000: "2.0 leads ahead of their share now"} {
		if got := aheadText(thousandths); got != want {
			t.Errorf("%d thousandths are %q; want %q", thousandths, got, want)
		}
	}
}
