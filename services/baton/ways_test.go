package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// The same registration is the same lead in everything that counts, whichever
// way it came: features, person, and what its seal holds.
func TestEveryWayInIsTheSame(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	sub := &intakev1.Submission{
		Personal: &leadv1.PersonalData{Email: "Ada@Maschinen.example", Phone: "+49 30 901820", Name: "Ada Example", Company: "Maschinen AG", Message: "Please call."},
		Features: &leadv1.Features{Country: "DE", Employees: 80, Attribution: &leadv1.Attribution{Source: "fair", Campaign: "spring"}},
	}
	leads := map[string]string{}
	client := intakev1.NewIntakeServiceClient(h.dial())
	request := func(key string) *intakev1.SubmitRequest {
		return &intakev1.SubmitRequest{Source: "web", IdempotencyKey: key, Submission: proto.Clone(sub).(*intakev1.Submission)}
	}

	leads["webhook"] = h.leadOf(h.post("web", "application/json", []byte(`{"id":"w","email":"Ada@Maschinen.example","phone":"+49 30 901820","name":"Ada Example","company":"Maschinen AG","message":"Please call.",
		"country":"DE","employees":80,"utm_source":"fair","utm_campaign":"spring"}`), http.Header{"Idempotency-Key": {"webhook"}}))
	leads["Submit"] = must[*intakev1.SubmitResponse](t)(client.Submit(t.Context(), request("submit"))).GetLeadId()
	leads["SubmitBatch"] = batch(t, client, &intakev1.SubmitBatchRequest{Index: 7, Item: request("batch")})[7].GetAccepted().GetLeadId()
	got := h.rest(t.Context(), http.MethodPost, "/api/v1/sources/web/submissions", h.admin, string(must[[]byte](t)(protojson.Marshal(request("rest")))))
	answer := &intakev1.SubmitResponse{}
	if err := protojson.Unmarshal([]byte(got.body), answer); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	leads["REST"] = answer.GetLeadId()

	csv := filepath.Join(t.TempDir(), "leads.csv")
	if err := os.WriteFile(csv, []byte("external_id,email,phone,name,company,message,country,employees,utm_source,utm_campaign\ncsv,Ada@Maschinen.example,+49 30 901820,Ada Example,Maschinen AG,Please call.,DE,80,fair,spring\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ok(t, "import", csv, "--source", "web", "--server", h.GRPCAddr, "--token", h.admin)
	leads["file"] = must[*intakev1.SubmitResponse](t)(client.Submit(t.Context(), request("csv"))).GetLeadId()
	h.settle()

	type came struct {
		Features *leadv1.Features
		Personal *leadv1.PersonalData
		Person   string
		Stage    leadv1.Stage
	}
	of := func(id string) (c came) {
		for _, e := range must[[]*ledger.Event](t)(h.log.History(t.Context(), "lead."+id)) {
			switch body := e.Body.(type) {
			case *leadv1.LeadReceived:
				c.Features = body.GetFeatures()
				c.Personal = must[*leadv1.PersonalData](t)(h.open(t.Context(), id, body.GetPersonal()))
			case *leadv1.PersonAttached:
				c.Person = body.GetPersonId()
			}
		}
		c.Stage = h.lead(id).GetStage()
		return c
	}
	want := of(leads["webhook"])
	if want.Features == nil || want.Person == "" || want.Stage != leadv1.Stage_STAGE_MQL || !want.Features.GetHasEmail() || !want.Features.GetHasPhone() {
		t.Fatalf("the webhook's lead is %+v", want)
	}
	same(t, "leads", h.count(), len(leads))
	for way, id := range leads {
		same(t, way, of(id), want, protocmp.Transform())
	}
}
