package main

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/qualification"
)

// opportunity writes a lead that was an opportunity at an instant of the past.
func (h *house) opportunity(id string, at time.Time) {
	h.t.Helper()
	for _, each := range []struct {
		service string
		body    proto.Message
	}{
		{intake.Name, &leadv1.LeadReceived{SourceId: "s", Source: "web", SubmissionId: "sub-" + id, ReceivedAt: timestamppb.New(at), Features: &leadv1.Features{}}},
		{qualification.Name, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, Explanation: &leadv1.Explanation{Summary: "fits"}}},
	} {
		must[[]*ledger.Event](h.t)(h.log.Write(h.t.Context(), each.service, func(*ledger.View) ([]ledger.Draft, error) {
			return []ledger.Draft{{Subject: lead.SubjectOf(id), Occurred: at, Correlation: id, Cause: "test:" + id, Agreement: 1, Body: each.body}}, nil
		}))
	}
}

// Twenty opportunities a month, then three: three days after that month one check is
// opened, and however often and whoever looks again, it is one, until it is closed.
func TestFallOpensOneCheckForEver(t *testing.T) {
	h := start(t, Config{})
	h.roles(map[string][]string{"boss": {access.Manager}, "mark": {access.Marketing}})
	has(t, h.says("mark", "check", "list"), "There are no checks")
	november := time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
	for month, n := range []int{20, 20, 20, 3} {
		for i := range n {
			h.opportunity(fmt.Sprintf("m%d-%d", month, i), november.AddDate(0, month, 0).Add(time.Duration(i)*time.Hour))
		}
	}
	opened := func() int {
		n := 0
		for _, subject := range []string{"org.check.2026-01", "org.check.2026-02", "org.check.2026-03", "org.check.2026-04"} {
			n += len(must[[]*ledger.Event](t)(h.log.History(t.Context(), subject)))
		}
		return n
	}
	h.forward(24 * time.Hour)
	if n := opened(); n != 0 {
		t.Errorf("%d checks before it is time", n)
	}
	h.forward(48 * time.Hour)
	if n := opened(); n != 1 {
		t.Errorf("%d checks; want one", n)
	}
	// The next month has no opportunity at all, and the check is open.
	h.forward(40 * 24 * time.Hour)
	data, clock, tokens := h.cfg.Data, h.time, h.tokens
	h.stop()
	h = start(t, Config{Data: data, clock: clock})
	h.tokens = tokens
	h.forward(24 * time.Hour)
	if n := opened(); n != 1 {
		t.Errorf("%d checks after a new start; want one", n)
	}
	has(t, h.says("mark", "check", "list"), "2026-02, open since 2026-03-04", "Opportunities fell: 3 in the month, 60 in the 3 months before.", "nobody accountable", "no meetings", "not measured", "baton report fairness")
	refused(t, "closing an alignment check takes the role manager, arbiter or operator; you have marketing", "check", "close", "2026-02", "--found", "process", "--server", h.GRPCAddr, "--token", h.tokens["mark"])
	refused(t, "there is no check of 2025-02", "check", "close", "2025-02", "--found", "process", "--server", h.GRPCAddr, "--token", h.tokens["boss"])
	has(t, h.says("boss", "check", "close", "2026-02", "--found", "process"), "closed on", "process")
	refused(t, "was closed on", "check", "close", "2026-02", "--found", "market", "--server", h.GRPCAddr, "--token", h.tokens["boss"])
	has(t, h.says("", "replay", "--format", "json"), "AlignmentCheckOpened")
}
