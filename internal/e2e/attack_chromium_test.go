package e2e

import (
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to write what the server would not

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

var scripts = []string{
	`<img src=x onerror="window.pwned=1">`, `<script>window.pwned=1</script>`, `"><svg onload=window.pwned=1>`, `javascript:window.pwned=1`,
	`<a href="javascript:window.pwned=1">look</a>`, `<iframe srcdoc="<script>parent.pwned=1</script>">`, `{{constructor.constructor('window.pwned=1')()}}`,
	`</textarea><style>*{display:none}</style>`, `https://evil.example/"onmouseover="window.pwned=1`, "cod\u202egpj.exe", "a\u200db\u200cc", `&lt;b&gt;`, "`${window.pwned=1}`",
}

// watchdog collects what the page's policy has refused, also before it was asked.
const watchdog = `(() => {
	window.reports = [];
	new ReportingObserver(list => window.reports.push(...list.map(r => JSON.stringify(r.body))), {buffered: true, types: ['csp-violation']}).observe();
	document.addEventListener('securitypolicyviolation', e => window.reports.push(e.violatedDirective + ' ' + e.blockedURI));
	return true;
})()`

// TestAttackScriptInjection shows a browser names and lines that would be markup or scripts if they were taken for any.
// Names like these are not accepted, so they are written into the database, as if a mistake had let them in.
func TestAttackScriptInjection(t *testing.T) {
	s := newScene(t, nil)
	v := s.visitor("127.0.0.1")
	var people []signal.SignedIn
	for i := range scripts {
		people = append(people, v.register(fmt.Sprint("person", i)))
	}
	s.srv.Close()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.srv.Data, "visavis.db"))
	s.must(err)
	for i, evil := range scripts {
		_, err := db.Exec(`UPDATE users SET name = ? WHERE id = ?`, evil, people[i].User.ID)
		s.must(err)
	}
	s.must(db.Close())
	srv, err := s.Server(s.ctx)
	s.must(err)
	t.Cleanup(srv.Close)
	s.srv = srv
	v = s.visitor("127.0.0.1")

	bob := s.browser("bob")
	s.must(bob.Eval(s.ctx, watchdog, nil))
	var self struct{ User signal.User }
	s.must(bob.Eval(s.ctx, `fetch('/api/me').then(r => r.json())`, &self))
	evil := v.device(people[0].Token, "m")
	say := func(e signal.Envelope) {
		t.Helper()
		reply, err := evil.ask(e)
		s.must(err)
		s.must(reply.Fail())
	}
	var lobby, private []string
	for _, line := range scripts {
		lobby, private = append(lobby, "to all: "+line), append(private, line+" :to one")
		say(signal.Envelope{Method: signal.MessageSendToAll, Data: signal.Encode(signal.Text{Text: "to all: " + line})})
		say(signal.Envelope{Method: signal.MessageSendTo, ToID: self.User.ID, Data: signal.Encode(signal.Text{Text: line + " :to one"})})
	}
	shown := func(where string, texts []string) {
		t.Helper()
		wanted, err := json.Marshal(texts)
		s.must(err)
		s.must(bob.Until(s.ctx, where+" shows all of it as text", fmt.Sprintf(`%s.every(text => document.body.textContent.includes(text))`, wanted)))
	}
	shown("the roster", scripts)
	bob.click("lobby")
	shown("the lobby", lobby)
	s.must(bob.Eval(s.ctx, fmt.Sprintf(`document.querySelector('[data-testid="user-' + CSS.escape(%q) + '"]').click()`, scripts[0]), nil))
	shown("the chat", private)
	// A call that nobody answers is in the list of calls, with the caller's name.
	call := signal.NewID()
	say(signal.Envelope{Method: signal.CallInvite, ToID: self.User.ID, CallID: call, Data: signal.Encode(signal.Invite{Video: true})})
	bob.state("incoming")
	shown("the ringing call", scripts[:1])
	say(signal.Envelope{Method: signal.CallCancel, CallID: call})
	bob.ended(signal.EndCancelled)
	bob.click("dismiss")
	bob.click("calls")
	s.must(bob.Visible(s.ctx, "call-row"))
	shown("the list of calls", scripts[:1])
	bob.shot("hostile-names")

	var found struct {
		Pwned   bool
		Reports []string
		Made    int
	}
	s.must(bob.Eval(s.ctx, `({pwned: 'pwned' in window, reports: window.reports,
		made: document.querySelectorAll('img:not([src^="/"]), iframe, script:not([src]), [onerror], [onload], [onmouseover], a[href^="javascript:" i], a[href*="evil.example"][onmouseover], style').length})`, &found))
	if found.Pwned || len(found.Reports) > 0 || found.Made > 0 {
		t.Errorf("in the page: %+v", found)
	}
}

// TestAttackCrossSiteRequestForgery lets pages of two other origins act in a browser that is signed in: one of another
// site, and one of the same host on another port, with which browsers send the cookie along.
func TestAttackCrossSiteRequestForgery(t *testing.T) {
	s := newScene(t, []string{"mallory"})
	pair, err := tls.LoadX509KeyPair(s.srv.CA, filepath.Join(filepath.Dir(s.srv.CA), "key.pem"))
	s.must(err)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, evilPage, s.srv.URL, testkit.Password)
	})
	sameSite, otherSite := httptest.NewUnstartedServer(page), httptest.NewServer(page)
	sameSite.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	sameSite.StartTLS()
	t.Cleanup(sameSite.Close)
	t.Cleanup(otherSite.Close)

	bob := s.browser("bob")
	who := func() string {
		t.Helper()
		var me struct{ User signal.User }
		s.must(bob.Eval(s.ctx, `fetch('/api/me').then(r => r.json())`, &me))
		return me.User.Name
	}
	for what, evil := range map[string]string{"another port": sameSite.URL, "another site": otherSite.URL} {
		if name := who(); name != "bob" {
			t.Fatalf("before: the browser is %q's", name)
		}
		s.must(bob.Eval(s.ctx, fmt.Sprintf(`void setTimeout(() => location.assign(%q))`, evil), nil))
		bob.across(what+" has done its worst", `window.done === true`)
		var did []string
		s.must(bob.Eval(s.ctx, `window.did`, &did))
		if len(did) > 0 {
			t.Errorf("%s could: %v", what, did)
		}
		// A form replaces the page by the answer.
		for _, path := range []string{"/api/logout", "/api/login", "/api/register"} {
			s.must(bob.Eval(s.ctx, fmt.Sprintf(`void setTimeout(() => window.post(%q))`, path), nil))
			bob.across("the answer to a form for "+path, `document.body?.innerText.includes('unauthorized')`)
			s.must(bob.Eval(s.ctx, fmt.Sprintf(`void setTimeout(() => location.assign(%q))`, evil), nil))
			bob.across(what+" is back", `window.done === true`)
		}
		s.must(bob.Eval(s.ctx, fmt.Sprintf(`void setTimeout(() => location.assign(%q))`, s.srv.URL), nil))
		bob.across("our own page", `!!document.querySelector('[data-testid="user-Echo"]')`)
		if name := who(); name != "bob" {
			t.Errorf("after pages of %s the browser is %q's", what, name)
		}
	}
}

// across waits like Until while the tab goes from one site to another, which ends what is being evaluated there.
func (t *tab) across(what, expression string) {
	t.s.t.Helper()
	for {
		err := t.Until(t.s.ctx, what, expression)
		if err == nil {
			return
		}
		gone := false
		for _, word := range []string{"navigated or closed", "context was destroyed", "find context", "Cannot find"} {
			gone = gone || strings.Contains(err.Error(), word)
		}
		if !gone || t.s.ctx.Err() != nil {
			t.s.t.Fatal(err)
		}
	}
}

// evilPage takes the address of the site and a password. What it manages to do goes into window.did.
const evilPage = `<!doctype html><meta charset="utf-8"><body><script>
const site = %q, password = %q;
window.did = [];
const login = JSON.stringify({name: 'mallory', password, cookie: true});
async function attack() {
	for (const credentials of ['include', 'omit']) {
		for (const [method, path, body] of [['POST', '/api/logout', ''], ['POST', '/api/login', login], ['POST', '/api/register', login.replace('mallory', 'eve')]]) {
			// A simple request goes out without asking; its answer cannot be read, so what it did is looked at later.
			await fetch(site + path, {method, body, credentials, mode: 'no-cors', headers: {'Content-Type': 'text/plain'}}).catch(() => {});
			await fetch(site + path, {method, body, credentials, headers: {'Content-Type': 'application/json'}}).then(r => window.did.push(path + ' ' + r.status), () => {});
		}
		for (const [method, path] of [['GET', '/api/me'], ['GET', '/api/calls'], ['DELETE', '/api/me'], ['PUT', '/api/me/dnd']])
			await fetch(site + path, {method, credentials}).then(async r => window.did.push(path + ' ' + await r.text()), () => {});
	}
	navigator.sendBeacon(site + '/api/logout', '');
	await new Promise(resolve => {
		const ws = new WebSocket(site.replace('https', 'wss') + '/ws', 'visavis.1');
		ws.onopen = () => { window.did.push('a socket'); resolve(); };
		ws.onerror = resolve;
	});
	const frame = document.createElement('iframe');
	await new Promise(resolve => { frame.onload = frame.onerror = resolve; frame.src = site; document.body.append(frame); });
	try { if (frame.contentDocument?.body?.innerText) window.did.push('a frame'); } catch { /* another origin, as it should be */ }
	window.done = true;
}
window.post = path => {
	const form = document.createElement('form');
	Object.assign(form, {method: 'post', action: site + path, enctype: 'text/plain'});
	const field = document.createElement('input');
	// {"name":"mallory",…,"x":"=y"}: a form's text that is JSON all the same
	[field.name, field.value] = [login.slice(0, -1) + ',"x":"', '"}'];
	form.append(field);
	document.body.append(form);
	form.submit();
};
attack();
</script>`
