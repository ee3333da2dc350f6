package main

import (
	"bytes"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// How soon sales answered is counted in working time too, by the calendar that was
// agreed when the lead came: later hours change nothing about it.
func TestAnswersInWorkingTime(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	id := h.submit("worked", filled(1)) // on Monday at 10:00 in Berlin
	h.settle()
	who := h.accept(id)
	h.settle()
	if f := h.figures("response"); f["open"] != 1 {
		t.Errorf("before anybody answered: %v", f)
	} else if _, known := f["work_mean_seconds"]; known {
		t.Errorf("the working time of no answer is known: %v", f)
	}
	h.time.Set(monday.Add(24 * time.Hour))
	h.settle()
	must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(who), &feedbackv1.RecordOutcomeRequest{
		LeadId: id, IdempotencyKey: "k", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call",
	}))
	h.agree(bytes.Replace(h.document(), []byte(`mon: ["09:00-17:00"]`), []byte(`mon: ["09:00-11:00"]`), 1))
	h.settle()
	f := h.figures("response")
	// Seven hours of Monday and one of Tuesday.
	if clock, working := f["mean_seconds"], f["work_mean_seconds"]; clock != 24*3600 || working != 8*3600 {
		t.Errorf("answered after %v s, of working time %v s; want 24 h and 8 h", clock, working)
	}
}
