# The calls of Voice Partner with net/http: ruby voice.rb BASE_URL API_KEY CALL ...
#   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
# An empty DATE or URL is left out. The one Ruby library for this API names its charset as below.

require 'json'
require 'net/http'

base, key, call, *rest = ARGV

def ask(kind, url, data = nil)
  uri = URI(url)
  request = kind.new(uri)
  if data
    request['Content-Type'] = 'application/json;charset=utf-8'
    request.body = data.reject { |_, value| value.empty? }.to_json
  end
  response = Net::HTTP.start(uri.hostname, uri.port) { |http| http.request(request) }
  answer = response.body.force_encoding('UTF-8')
  response.is_a?(Net::HTTPSuccess) ? puts(answer) : abort(answer)
end

case call
when 'audios'
  ask(Net::HTTP::Get, "#{base}/audios/#{key}")
when 'rename'
  ask(Net::HTTP::Post, "#{base}/audio-file/rename", apiKey: key, tokenAudio: rest[0], filename: rest[1])
when 'deposit'
  ask(Net::HTTP::Post, "#{base}/campaign/send",
      apiKey: key, tokenAudio: rest[0], emailForNotification: rest[1], phoneNumbers: rest[2],
      scheduledDate: rest[3], notifyUrl: rest[4])
when 'tts'
  ask(Net::HTTP::Post, "#{base}/tts/send",
      apiKey: key, phoneNumbers: rest[0], text: rest[1], scheduledDate: rest[2], notifyUrl: rest[3])
when 'cancel'
  ask(Net::HTTP::Delete, "#{base}/campaign/cancel/#{key}/#{rest[0]}")
end
