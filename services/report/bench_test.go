package report

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// walks makes leads that go all the way, eight events each, interleaved as they
// come in operation: many leads are under way at once.
func walks(leads int) *story {
	st := &story{}
	const abreast = 100
	for from := 0; from < leads; from += abreast {
		for step := range 8 {
			for i := from; i < min(from+abreast, leads); i++ {
				id, at := fmt.Sprintf("lead-%d", i), start.Add(time.Duration(i)*time.Second+time.Duration(step)*time.Minute)
				member := fmt.Sprintf("member-%d", i%9)
				switch step {
				case 0:
					st.received(id, at, nil)
				case 1:
					st.say(id, at, &leadv1.PersonAttached{PersonId: "p-" + id, MatchedBy: "new"})
				case 2:
					st.say(id, at, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Persona: "initiator", Explanation: explained("fits")})
				case 3:
					st.say(id, at, &leadv1.LeadOffered{AgreementVersion: 1, Pool: "inside", Group: "g", Member: member, Offer: 1, TakeBy: timestamppb.New(at), Turn: 1, Summary: "next"})
				case 4:
					st.say(id, at, &leadv1.OfferAccepted{Member: member, Offer: 1})
				case 5:
					st.say(id, at, &leadv1.CallRecorded{CallId: "c-" + id, Member: member, Qualifier: true, Reached: true, FitConfirmed: true})
				case 6:
					st.say(id, at, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, CallId: "c-" + id, Explanation: explained("soon")})
				case 7:
					st.say(id, at, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: member})
				}
			}
		}
	}
	return st
}

// BenchmarkApply folds whole walks, 500 events to a transaction.
func BenchmarkApply(b *testing.B) {
	s := openStore(b)
	st := walks(2500)
	b.ResetTimer()
	for range b.N {
		refill(b, s, st.events, 500)
	}
	b.ReportMetric(float64(b.N*len(st.events))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkReport asks for each report over 100,000 leads.
func BenchmarkReport(b *testing.B) {
	s := openStore(b)
	st := walks(100_000)
	for batch := range slices.Chunk(st.events, 1000) {
		if err := s.Apply(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	rules := agreedRules(b)
	for _, name := range ReportNames() {
		for _, past := range []bool{false, true} {
			req := &feedbackv1.GetReportRequest{Report: name, By: "person"}
			if byPerson(name) {
				req.By = ""
			}
			if past {
				req.AsOf = timestamppb.New(start.Add(2 * time.Hour))
			}
			b.Run(fmt.Sprintf("%s/past=%v", name, past), func(b *testing.B) {
				for range b.N {
					q, err := question(req, far)
					if err != nil {
						b.Fatal(err)
					}
					q.InForce = rules
					if _, err := s.Report(context.Background(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
