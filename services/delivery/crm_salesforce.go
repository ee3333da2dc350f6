package delivery

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Salesforce upserts records of one object by an external id field of the company's
// own, as
// https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-upsert.html
// says: one call for up to 200, each row answered in the order of the request. It signs in
// by OAuth's client credentials, and again when its token has run out.
type Salesforce struct {
	Client *http.Client
	// URL is the company's own, such as https://acme.my.salesforce.com.
	URL string
	// ClientID and ClientSecret are of a connected app.
	ClientID, ClientSecret string
	// Object, such as Lead, and its external id field, such as Baton_Lead_Id__c.
	Object, IDField string

	mu    sync.Mutex
	token string
}

// salesforceVersion is the version of the interface that is spoken.
const salesforceVersion = "v62.0"

// Batch implements CRM.
func (s *Salesforce) Batch() int { return 200 }

type salesforceRow struct {
	ID      string `json:"id"`
	Success bool   `json:"success"`
	Created bool   `json:"created"`
	Errors  []struct {
		StatusCode string `json:"statusCode"`
	} `json:"errors"`
}

// passing are faults of a row that another time may cure.
var passing = map[string]bool{
	"UNABLE_TO_LOCK_ROW": true, "SERVER_UNAVAILABLE": true, "REQUEST_LIMIT_EXCEEDED": true, "REQUEST_RUNNING_TOO_LONG": true, "STORAGE_LIMIT_EXCEEDED": true,
	"UNKNOWN_EXCEPTION": true,
}

// Upsert implements CRM.
func (s *Salesforce) Upsert(ctx context.Context, records []Record) ([]Row, error) {
	body := struct {
		AllOrNone bool             `json:"allOrNone"`
		Records   []map[string]any `json:"records"`
	}{}
	for _, r := range records {
		one := map[string]any{"attributes": map[string]string{"type": s.Object}, s.IDField: r.ExternalID}
		for _, f := range r.filled() {
			one[f.Name] = f.Value
		}
		body.Records = append(body.Records, one)
	}
	address, err := url.JoinPath(s.URL, "services/data", salesforceVersion, "composite/sobjects", s.Object, s.IDField)
	if err != nil {
		return nil, &failedCall{outcome{fault: faultNoAddress, final: true}}
	}
	var got []salesforceRow
	err = s.signedIn(ctx, func(token string) error {
		got = nil
		return call(ctx, s.Client, http.MethodPatch, address, token, body, &got)
	})
	if err != nil {
		return nil, err
	}
	if len(got) != len(records) {
		return nil, &failedCall{outcome{fault: faultUnreadable}}
	}
	rows := make([]Row, len(records))
	for i, r := range got {
		rows[i] = Row{RecordID: r.ID, Created: r.Created}
		if !r.Success {
			rows[i] = Row{Fault: "refused"}
			if len(r.Errors) > 0 {
				rows[i] = Row{Fault: r.Errors[0].StatusCode, Again: passing[r.Errors[0].StatusCode]}
			}
		}
	}
	return rows, nil
}

// Try implements CRM: it signs in.
func (s *Salesforce) Try(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signIn(ctx)
}

// signedIn makes a call with a token, and with a new one where the old has run out.
func (s *Salesforce) signedIn(ctx context.Context, do func(token string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fresh := s.token == ""; ; fresh = true {
		if fresh {
			if err := s.signIn(ctx); err != nil {
				return err
			}
		}
		err := do(s.token)
		var failed *failedCall
		if fresh || !errors.As(err, &failed) || failed.status != http.StatusUnauthorized {
			return err
		}
	}
}

// signIn gets a token.
func (s *Salesforce) signIn(ctx context.Context) error {
	address, err := url.JoinPath(s.URL, "services/oauth2/token")
	if err != nil {
		return &failedCall{outcome{fault: faultNoAddress, final: true}}
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID}, "client_secret": {s.ClientSecret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return &failedCall{outcome{fault: faultNoAddress, final: true}}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var got struct {
		Token string `json:"access_token"`
	}
	if err := answer(s.Client, req, &got); err != nil {
		return err
	}
	if got.Token == "" {
		return &failedCall{outcome{fault: faultUnreadable}}
	}
	s.token = got.Token
	return nil
}
