// The calls of Voice Partner with axios: node voice.js BASE_URL API_KEY CALL ...
//   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
// An empty DATE or URL is left out.
const axios = require('axios');

const [base, apiKey, call, ...rest] = process.argv.slice(2);
const orAbsent = (text) => text || undefined;

const calls = {
  audios: () => axios.get(`${base}/audios/${apiKey}`),
  rename: (tokenAudio, filename) => axios.post(`${base}/audio-file/rename`, { apiKey, tokenAudio, filename }),
  deposit: (tokenAudio, emailForNotification, phoneNumbers, date, url) =>
    axios.post(`${base}/campaign/send`, {
      apiKey,
      tokenAudio,
      emailForNotification,
      phoneNumbers,
      scheduledDate: orAbsent(date),
      notifyUrl: orAbsent(url),
    }),
  tts: (phoneNumbers, text, date, url) =>
    axios.post(`${base}/tts/send`, {
      apiKey,
      phoneNumbers,
      text,
      speechRate: 1,
      scheduledDate: orAbsent(date),
      notifyUrl: orAbsent(url),
    }),
  cancel: (campaignId) => axios.delete(`${base}/campaign/cancel/${apiKey}/${campaignId}`),
};

calls[call](...rest)
  .then((response) => console.log(JSON.stringify(response.data)))
  .catch((failure) => {
    // axios rejects every status but 2xx and keeps the parsed body in `response.data`.
    console.error(failure.response ? JSON.stringify(failure.response.data) : failure.message);
    process.exitCode = 1;
  });
