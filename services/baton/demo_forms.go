package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
)

// formSecret signs the form tool's deliveries in the demo.
const formSecret = "demo form secret"

// visitor is a person who fills in a form. Nobody of them exists.
type visitor struct {
	first, last, email, phone, company, title, country, message string
	industry, product                                           string
	employees                                                   int
	campaign                                                    string
	contentOnly                                                 bool
	// customer says that they buy from us already, invited that a salesperson sent them
	// the form.
	customer, invited bool
}

var (
	firstNames = []string{"Anna", "Bruno", "Clara", "Dimitri", "Elena", "Felix", "Grace", "Henri", "Ines", "Jonas", "Katja", "Luca", "Marta", "Nils", "Olga", "Paul", "Rosa", "Sven", "Tilda", "Viktor"}
	lastNames  = []string{"Albrecht", "Bianchi", "Castel", "Dahl", "Egger", "Fischer", "Garnier", "Holm", "Ivanov", "Jansen", "Keller", "Lindt", "Moreau", "Novak", "Olsen", "Petit", "Rossi", "Sorel", "Tanner", "Weber"}
	companies  = []string{"Alpenwerk", "Brückner Maschinen", "Cortina Foods", "Delta Logistik", "Elbe Software", "Fjord Textiles", "Garonne Conseil", "Hansa Pharma", "Isar Robotics", "Jura Watches"}
	// industries are those of the companies, in their order, as people write them.
	industries = []string{"Machinery", "Engineering", "Wholesale", "Consulting", "SaaS", "Production", "Professional services", "Pharma", "Automotive", "Consumer goods"}
	products   = []string{"planner", "tracker", "archive"}
	legalForms = []string{"GmbH", "AG", "SAS", "Ltd", "SpA", "BV"}
	titles     = []string{"Head of Marketing", "CEO", "Sales Director", "IT Manager", "Procurement Manager", "Software Engineer", "Office Manager", "Founder", "Student", "VP Operations"}
	countries  = []string{"DE", "DE", "DE", "AT", "CH", "FR", "IT", "NL", "SE", "US", "BR"}
	campaigns  = []string{"spring-launch", "webinar-may", "brand-search", "partner-newsletter"}
	dialling   = map[string]string{"DE": "+4930", "AT": "+431", "CH": "+4144", "FR": "+331", "IT": "+3906", "NL": "+3120", "SE": "+468", "US": "+1212", "BR": "+5511"}
	sizes      = []int{3, 12, 25, 40, 60, 90, 150, 320, 700, 2400}
)

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func newVisitor(rng *rand.Rand, n int) visitor {
	v := visitor{
		first: pick(rng, firstNames), last: pick(rng, lastNames), title: pick(rng, titles), country: pick(rng, countries),
		employees: pick(rng, sizes), campaign: pick(rng, campaigns), message: "We look for a way to work faster together.",
		contentOnly: rng.IntN(10) == 0,
		// Without chance, so that they change nothing else of a play.
		customer: n%12 == 4, invited: n%12 == 6,
	}
	company := rng.IntN(len(companies))
	v.company, v.industry, v.product = companies[company]+" "+pick(rng, legalForms), industries[company], products[n/4%len(products)]
	v.email = fmt.Sprintf("%s.%s.%d@%s.example", strings.ToLower(v.first), strings.ToLower(v.last), n, strings.ToLower(strings.Fields(v.company)[0]))
	v.email = strings.NewReplacer("ü", "ue").Replace(v.email)
	v.phone = fmt.Sprintf("%s%07d", dialling[v.country], 5550000+n)
	return v
}

// knock is one request to the door.
type knock struct {
	source, contentType string
	header              http.Header
	body                []byte
}

// form makes the n-th delivery, in one of four shapes that tools really send.
func form(rng *rand.Rand, v visitor, n int, test, spam bool) knock {
	id := fmt.Sprintf("demo-%06d", n)
	switch n % 4 {
	case 0:
		return htmlForm(v, id, spam)
	case 1:
		return answersForm(v, id)
	case 2:
		return fieldsForm(v, id)
	default:
		return columnsForm(rng, v, id, test)
	}
}

// htmlForm is what a browser sends for a plain form on a page.
func htmlForm(v visitor, id string, spam bool) knock {
	wish := "yes"
	if v.contentOnly {
		wish = "content only"
	}
	values := url.Values{
		"first_name": {v.first}, "last_name": {v.last}, "email": {v.email}, "phone": {v.phone}, "company": {v.company},
		"job_title": {v.title}, "country": {v.country}, "employees": {fmt.Sprint(v.employees)}, "message": {v.message},
		"industry": {v.industry}, "product": {v.product},
		"utm_source": {"google"}, "utm_medium": {"cpc"}, "utm_campaign": {v.campaign}, "contact_me": {wish}, "_gotcha": {""},
	}
	if v.customer {
		values.Set("existing customer", "yes")
	}
	if spam {
		values.Set("_gotcha", "http://buy.example")
	}
	return knock{source: "web", contentType: "application/x-www-form-urlencoded", header: http.Header{"Idempotency-Key": {id}}, body: []byte(values.Encode())}
}

// answersForm is a form tool that sends typed answers and signs its body.
func answersForm(v visitor, id string) knock {
	answer := func(ref, kind string, value any) map[string]any {
		return map[string]any{"type": kind, kind: value, "field": map[string]any{"id": ref, "ref": ref, "type": kind}}
	}
	body := marshal(map[string]any{
		"event_id": "evt-" + id, "event_type": "form_response",
		"form_response": map[string]any{
			"form_id": "contact", "token": id,
			"hidden": map[string]string{"utm_source": "linkedin", "utm_medium": "paid-social", "utm_campaign": v.campaign},
			"answers": []any{
				answer("name", "text", v.first+" "+v.last), answer("email", "email", v.email), answer("phone", "phone_number", v.phone),
				answer("company", "text", v.company), answer("job_title", "text", v.title), answer("country", "text", v.country),
				answer("employees", "number", v.employees), answer("message", "text", v.message),
				answer("industry", "text", v.industry), answer("product", "text", v.product),
			},
		},
	})
	mac := hmac.New(sha256.New, []byte(formSecret))
	mac.Write(body)
	return knock{
		source: "forms", contentType: "application/json", body: body,
		header: http.Header{"X-Form-Signature": {"sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))}},
	}
}

// fieldsForm is a marketing suite that sends name and value pairs.
func fieldsForm(v visitor, id string) knock {
	source, medium := "newsletter", "email"
	if v.invited {
		source, medium = "invitation", "sales"
	}
	field := func(name, value string) map[string]string {
		return map[string]string{"objectTypeId": "0-1", "name": name, "value": value}
	}
	body := marshal(map[string]any{
		"submission_id": id,
		"fields": []any{
			field("firstname", v.first), field("lastname", v.last), field("email", v.email), field("phone", v.phone), field("company", v.company),
			field("jobtitle", v.title), field("country", v.country), field("numemployees", fmt.Sprint(v.employees)), field("message", v.message), field("industry", v.industry),
			field("utm_source", source), field("utm_medium", medium), field("utm_campaign", v.campaign),
		},
		"context": map[string]string{"pageUri": "https://www.acme.example/contact", "pageName": "Contact"},
	})
	return knock{source: "web", contentType: "application/json", body: body}
}

// columnsForm is an advertising platform's lead form.
func columnsForm(rng *rand.Rand, v visitor, id string, test bool) knock {
	column := func(id, value string) map[string]string {
		return map[string]string{"column_id": id, "string_value": value}
	}
	body := marshal(map[string]any{
		"lead_id": id, "form_id": 40000000000 + rng.Int64N(9), "campaign_id": 123456789, "is_test": test, "api_version": "1.0",
		"user_column_data": []any{
			column("FULL_NAME", v.first+" "+v.last), column("EMAIL", v.email), column("PHONE_NUMBER", v.phone), column("COMPANY_NAME", v.company),
			column("JOB_TITLE", v.title), column("COUNTRY", v.country), column("COMPANY_SIZE", fmt.Sprint(v.employees)),
		},
	})
	return knock{source: "web", contentType: "application/json", body: body}
}

func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Maps of plain values always encode.
	_ = enc.Encode(v)
	return bytes.TrimSpace(buf.Bytes())
}

// send posts the delivery to a door.
func (d knock) send(client *http.Client, door string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, door+"/hooks/"+d.source, bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	for name, values := range d.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", d.contentType)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
