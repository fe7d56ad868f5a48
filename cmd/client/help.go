package main

import "strings"

// help is helpText with the codecs of this build.
func help() string {
	list := strings.ReplaceAll(strings.Join(codecs(), ","), ","+withoutH264, " "+withoutH264)
	return strings.Replace(helpText, "CODECS", list, 1)
}

const helpText = `Visavis: calls from person to person.

  visavis                    open the window
  visavis register           make an account
  visavis call USER          call somebody, without a window
  visavis answer             answer calls, without a window
  visavis devices            list cameras, screens, microphones, speakers and codecs
  visavis version | help

Who and where
  --server ADDRESS           HOST, HOST:PORT or https://…, which may name the certificate: https://HOST:PORT#fp=FINGERPRINT
  --ca FILE                  trust this certificate too (PEM): a server's own data/tls/cert.pem
  --user NAME
  --password-file FILE       or the environment variable VISAVIS_PASSWORD; without either, the session that the window kept
  --config-dir DIR           where settings and the session are kept
  --invite LINK              register: the invitation link; it names the server, too

Media
  --camera X                 default, none, pattern, pattern:ID, file:X.y4m, device:NAME
  --microphone X             default, none, tone, tone:HZ, speech, file:X.wav, device:NAME
  --speaker X                default, none, file:X.wav, device:NAME
  --processing LIST          of the own voice: echo,noise,gain or none. Default: what the settings say for a real
                             microphone, and none for tone, speech and file, which have no room around them
  --size WxH --fps N         of the picture that is sent (1280x720, 30)
  --codecs LIST              of the picture, in order of preference: CODECS
  --relay-only               through the server's relay only
  --record-microphone X.wav  what the microphone gives, before anything is done to it and while muted too
  --record-video X.y4m|-     every picture of the other, when it is presented, scaled to --record-size WxH (or --size)

Automation
  --duration TIME            hang up so long after the connection stands: 90s, 15m
  --events FILE|-            what happens, as JSON lines
  --trace FILE               what happens to each picture and to the sound clocks, as JSON lines
  --verbose                  tell more on standard error
  call:   --wait             dial when the person is online
  answer: --from NAME        accept only this person; others are declined
          --after TIME       let it ring so long before; without it, until the connection is prepared
          --once             end after one call
  window: --sign-in          sign in at once; --register makes the account if it is not there yet
          --call USER, --auto-answer, --from NAME, --duration TIME, --once (close after one call)
          --screenshot FILE  save the window as PNG, --screenshot-after TIME into the call (5s)

Exit codes: 0 the call ended normally, 2 usage, 3 sign-in failed, 4 not answered, declined, busy or nobody there,
5 no connection.
`
