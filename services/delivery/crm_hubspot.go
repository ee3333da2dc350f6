package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// HubSpot upserts contacts by a unique property of the company's own, as
// https://developers.hubspot.com/docs/api-reference/2026-03/crm/objects/contacts/batch/upsert-contacts
// says: one call for up to 100, each row matched by its write trace id, rows that failed
// in "errors" of a 207 answer.
type HubSpot struct {
	Client *http.Client
	// URL is https://api.hubapi.com, or a server that speaks like it.
	URL string
	// Token of a private app with the scope crm.objects.contacts.write.
	Token string
	// IDProperty is the unique property that holds the lead's id.
	IDProperty string
}

// hubSpotVersion is the version of the interface that is spoken.
const hubSpotVersion = "2026-03"

// Batch implements CRM.
func (h *HubSpot) Batch() int { return 100 }

type hubSpotInput struct {
	ID         string            `json:"id"`
	IDProperty string            `json:"idProperty"`
	TraceID    string            `json:"objectWriteTraceId"`
	Properties map[string]string `json:"properties"`
}

type hubSpotAnswer struct {
	Results []struct {
		ID         string            `json:"id"`
		New        bool              `json:"new"`
		TraceID    string            `json:"objectWriteTraceId"`
		Properties map[string]string `json:"properties"`
	} `json:"results"`
	Errors []struct {
		Category string              `json:"category"`
		Context  map[string][]string `json:"context"`
	} `json:"errors"`
}

// Upsert implements CRM.
func (h *HubSpot) Upsert(ctx context.Context, records []Record) ([]Row, error) {
	var body struct {
		Inputs []hubSpotInput `json:"inputs"`
	}
	place := map[string]int{}
	for i, r := range records {
		in := hubSpotInput{ID: r.ExternalID, IDProperty: h.IDProperty, TraceID: r.ExternalID, Properties: map[string]string{}}
		for _, f := range r.filled() {
			in.Properties[f.Name] = f.Value
		}
		place[r.ExternalID] = i
		body.Inputs = append(body.Inputs, in)
	}
	address, err := url.JoinPath(h.URL, "crm/objects", hubSpotVersion, "contacts/batch/upsert")
	if err != nil {
		return nil, &failedCall{outcome{fault: faultNoAddress, final: true}}
	}
	var got hubSpotAnswer
	if err := call(ctx, h.Client, http.MethodPost, address, h.Token, body, &got); err != nil {
		return nil, err
	}
	// What nothing is said of was not written.
	rows := make([]Row, len(records))
	for i := range rows {
		rows[i] = Row{Fault: "no-answer", Again: true}
	}
	for _, r := range got.Results {
		id := r.TraceID
		if id == "" {
			id = r.Properties[h.IDProperty]
		}
		if i, ok := place[id]; ok {
			rows[i] = Row{RecordID: r.ID, Created: r.New}
		}
	}
	for _, e := range got.Errors {
		for _, id := range e.Context["objectWriteTraceId"] {
			if i, ok := place[id]; ok {
				rows[i] = Row{Fault: e.Category, Again: e.Category == "RATE_LIMITS" || e.Category == "INTERNAL_ERROR"}
			}
		}
	}
	return rows, nil
}

// Try implements CRM: it asks for one contact, and looks at nothing of it.
func (h *HubSpot) Try(ctx context.Context) error {
	address, err := url.JoinPath(h.URL, "crm/objects", hubSpotVersion, "contacts")
	if err != nil {
		return &failedCall{outcome{fault: faultNoAddress, final: true}}
	}
	return call(ctx, h.Client, http.MethodGet, address+"?limit=1", h.Token, nil, &struct{}{})
}

// call sends JSON, or nothing where body is nil, and reads JSON.
func call(ctx context.Context, client *http.Client, method, address, token string, body, into any) error {
	var said io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		said = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, said)
	if err != nil {
		return &failedCall{outcome{fault: faultNoAddress, final: true}}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	return answer(client, req, into)
}

// answer makes a call and reads what a well answered one says.
func answer(client *http.Client, req *http.Request, into any) error {
	req.Header.Set("User-Agent", "Baton")
	resp, err := client.Do(req)
	if err != nil {
		return &failedCall{outcomeOf(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusMultiStatus {
		return refusedCall(resp)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, crmAnswerMost+1))
	if err != nil {
		return &failedCall{outcomeOf(err)}
	}
	if len(raw) > crmAnswerMost || json.Unmarshal(raw, into) != nil {
		// Something was done there: asked again, the same records are found by their ids.
		return &failedCall{outcome{fault: faultUnreadable, status: int32(resp.StatusCode)}} // #nosec G115 -- three digits
	}
	return nil
}
